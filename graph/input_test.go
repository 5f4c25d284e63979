package graph_test

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// inputWorld has five events; their uids are a to e.
func inputWorld(t *testing.T) *world {
	hashes := func(values ...string) []event {
		out := []event{}
		for i, v := range values {
			out = append(out, event{"algorithm_id": int64(i + 1), "value": v})
		}
		return out
	}
	return withEvents(t, ocsf.ProcessActivity,
		[]string{"process.name", "process.pid", "process.created_time", "activity_id", "device.ip", "process.file.hashes.value", "process.file.hashes.algorithm_id", "actor.process.name"},
		event{"uid": "a", "time": int64(1_000_000), "process.name": "cmd.exe", "process.pid": int64(1), "activity_id": int64(1), "device.ip": netip.MustParseAddr("10.0.0.1"), "process.file.hashes": hashes("11", "22")},
		event{"uid": "b", "time": int64(2_000_000), "process.name": "CMD.EXE", "process.pid": int64(2), "activity_id": int64(2), "device.ip": netip.MustParseAddr("8.8.8.8"), "process.file.hashes": hashes("22", "11")},
		event{"uid": "c", "time": int64(3_000_000), "process.name": "K\u212a\xff", "process.pid": int64(math.MaxInt32), "activity_id": int64(4711), "device.ip": netip.MustParseAddr("2001:db8::1"), "process.file.hashes": hashes()},
		event{"uid": "d", "time": int64(4_000_000), "actor.process.name": "services.exe", "process.created_time": int64(1_000_001)},
		event{"uid": "e", "time": int64(5_000_000), "process.name": "powershell.exe", "process.pid": int64(5), "device.ip": netip.MustParseAddr("127.0.0.1")},
	)
}

const whereQuery = `query($where: ProcessActivityFilter, $timeRange: TimeRangeInput!) {processActivities(timeRange: $timeRange, where: $where) {nodes {uid} coverage {complete connections {state}}}}`

// TestWhere: what filters mean, given as variables and, where it can be written so, as literals.
func TestWhere(t *testing.T) {
	w := inputWorld(t)
	name := func(op string, v any) vars { return vars{"process": vars{"name": vars{op: v}}} }
	some := func(v vars) vars { return vars{"process": vars{"file": vars{"hashes": vars{"some": v}}}} }
	for _, c := range []struct {
		where any
		want  string
	}{
		{nil, "abcde"}, {vars{}, "abcde"}, {vars{"process": vars{}}, "abcde"}, {vars{"process": vars{"name": vars{}}}, "abcde"},
		{vars{"and": []vars{}}, "abcde"}, {vars{"or": []vars{}}, ""}, {vars{"not": vars{}}, ""}, {vars{"or": []vars{{}}}, "abcde"},
		{name("in", []string{}), ""}, {vars{"not": name("in", []string{})}, "abcde"},
		{name("eq", "cmd.exe"), "ab"}, {name("eq", "kk"), ""}, {vars{"process": vars{"name": vars{"eq": "CMD.EXE", "caseSensitive": true}}}, "b"},
		{vars{"process": vars{"name": vars{"caseSensitive": true}}}, "abcde"},
		{vars{"not": name("eq", "cmd.exe")}, "cde"}, {name("exists", false), "d"}, {vars{"not": name("exists", true)}, "d"},
		{vars{"process": vars{"not": vars{"name": vars{"eq": "cmd.exe"}}}}, "cde"},
		{vars{"process": vars{"or": []vars{{"pid": vars{"eq": 5}}, {"pid": vars{"lt": 2}}}, "and": []vars{{"name": vars{"exists": true}}}}}, "ae"},
		{name("in", "cmd.exe"), "ab"}, // one value stands for a list of one
		{vars{"and": name("eq", "cmd.exe")}, "ab"}, {vars{"or": name("eq", "cmd.exe")}, "ab"},
		{vars{"process": vars{"pid": vars{"in": 5}}}, "e"}, {vars{"process": vars{"pid": vars{"gt": 1, "lte": 5}}}, "be"},
		{vars{"activity": vars{"in": []string{"LAUNCH", "OTHER"}}}, "a"}, {vars{"activity": vars{"in": "LAUNCH"}}, "a"}, {vars{"activity": vars{"exists": true}}, "abc"},
		{vars{"device": vars{"ip": vars{"eq": "::ffff:10.0.0.1"}}}, "a"}, {vars{"device": vars{"ip": vars{"cidr": "0.0.0.0/0"}}}, "abe"}, {vars{"device": vars{"ip": vars{"cidr": "::/0"}}}, "abce"},
		{vars{"device": vars{"ip": vars{"scope": "PRIVATE"}}}, "a"}, {vars{"device": vars{"ip": vars{"scope": "EXTERNAL"}}}, "bc"}, {vars{"not": vars{"device": vars{"ip": vars{"scope": "LOOPBACK"}}}}, "abcd"},
		{vars{"time": vars{"gte": "1970-01-01T00:00:02Z", "lt": "1970-01-01T01:00:05+01:00"}}, "bcd"}, {vars{"process": vars{"createdTime": vars{"eq": "1970-01-01T00:00:01.0000019Z"}}}, "d"},
		{some(vars{}), "ab"}, {vars{"not": some(vars{})}, "cde"}, {vars{"process": vars{"file": vars{"hashes": vars{}}}}, "abcde"},
		{some(vars{"value": vars{"eq": "11"}, "algorithm": vars{"eq": "MD5"}}), "a"},
		{some(vars{"not": vars{"value": vars{"eq": "11"}}}), "ab"}, {some(vars{"or": []vars{{"value": vars{"eq": "11"}, "not": vars{"algorithm": vars{"eq": "SHA_1"}}}}}), "a"},
		{some(vars{"and": []vars{{"value": vars{"eq": "11"}}, {"algorithm": vars{"eq": "SHA_1"}}}}), "b"}, {some(vars{"value": vars{"in": []string{}}}), ""},
		{vars{"uid": vars{"eq": "C"}}, "c"}, {vars{"process": vars{"name": vars{"like": "c?d.*"}}}, "ab"}, {vars{"process": vars{"name": vars{"regex": "^power"}}}, "e"},
	} {
		v := vars{"timeRange": wideVar()}
		literal := "{}"
		if c.where != nil {
			v["where"] = c.where
			literal = written(c.where, "")
		}
		for how, r := range map[string]*reply{
			"variables": w.ask(whereQuery, v),
			"literals":  w.ask(`{processActivities(timeRange: `+wide+`, where: `+literal+`) {nodes {uid} coverage {complete connections {state}}}}`, nil),
		} {
			if len(r.Errors) > 0 {
				t.Errorf("%s %s: %v", how, literal, r.Errors)
				continue
			}
			if got := strings.Join(r.uids("processActivities"), ""); got != c.want || r.at("processActivities.coverage.complete") != true {
				t.Errorf("%s %s gives %q, want %q", how, literal, got, c.want)
			}
		}
	}
}

// written writes a value as a GraphQL literal. Enum values and texts are told apart by the key that they are under.
func written(v any, under string) string {
	switch v := v.(type) {
	case vars:
		parts := []string{}
		for k, x := range v {
			next := under
			if k == "activity" || k == "algorithm" || k == "scope" {
				next = "enum"
			}
			parts = append(parts, k+": "+written(x, next))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case []vars:
		parts := []string{}
		for _, x := range v {
			parts = append(parts, written(x, under))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case []string:
		parts := []string{}
		for _, x := range v {
			parts = append(parts, written(x, under))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		if under == "enum" {
			return v
		}
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}

// TestLongsInFilters: numbers and decimal text, beyond what a float64 counts.
func TestLongsInFilters(t *testing.T) {
	w := withEvents(t, ocsf.NetworkActivity, []string{"traffic.bytes_in"},
		event{"uid": "a", "time": int64(1), "traffic.bytes_in": int64(1<<53 + 1)}, event{"uid": "b", "time": int64(2), "traffic.bytes_in": int64(math.MaxInt64)},
		event{"uid": "c", "time": int64(3), "traffic.bytes_in": int64(1 << 53)})
	query := `query($n: Long) {networkActivities(timeRange: ` + wide + `, where: {traffic: {bytesIn: {eq: $n}}}) {nodes {uid}}}`
	for _, c := range []struct {
		n    any
		want string
	}{{int64(1<<53 + 1), "a"}, {"9007199254740993", "a"}, {"9223372036854775807", "b"}, {int64(math.MaxInt64), "b"}, {int64(1 << 53), "c"}} {
		if got := strings.Join(w.must(query, vars{"n": c.n}).uids("networkActivities"), ""); got != c.want {
			t.Errorf("eq %v gives %q, want %q", c.n, got, c.want)
		}
	}
	if got := w.must(`{networkActivities(timeRange: `+wide+`, where: {traffic: {bytesIn: {in: [9007199254740993, "9223372036854775807"]}}}) {nodes {uid}}}`, nil).uids("networkActivities"); len(got) != 2 {
		t.Errorf("literals give %v", got)
	}
	for _, n := range []any{"x", "", "1.5", 1.5, "9223372036854775808", true, []any{1}, vars{"a": 1}, "1 "} {
		w.ask(query, vars{"n": n}).refused(t, fmt.Sprintf("Long %v", n), "BAD_USER_INPUT", "where.traffic.bytesIn.eq")
	}
}

// TestRefusedInputs: what section 7 of the contract lists, with code and path.
func TestRefusedInputs(t *testing.T) {
	w := inputWorld(t)
	ranges := map[string]struct {
		in   vars
		path string
	}{
		"swapped":          {vars{"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "timeRange"},
		"empty":            {vars{"start": "2026-01-02T00:00:00Z", "end": "2026-01-02T00:00:00Z"}, "timeRange"},
		"empty in micros":  {vars{"start": "2026-01-02T00:00:00.0000001Z", "end": "2026-01-02T00:00:00.0000009Z"}, "timeRange"},
		"nothing":          {vars{}, "timeRange"},
		"mixed":            {vars{"start": "2026-01-02T00:00:00Z", "last": "P7D"}, "timeRange"},
		"all three":        {vars{"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z", "last": "P7D"}, "timeRange"},
		"start only":       {vars{"start": "2026-01-02T00:00:00Z"}, "timeRange"},
		"end only":         {vars{"end": "2026-01-02T00:00:00Z"}, "timeRange"},
		"null start":       {vars{"start": nil, "end": "2026-01-02T00:00:00Z"}, "timeRange.start"},
		"null last":        {vars{"last": nil}, "timeRange.last"},
		"no time":          {vars{"start": "yesterday", "end": "2026-01-02T00:00:00Z"}, "timeRange.start"},
		"a day":            {vars{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02"}, "timeRange.end"},
		"no zone":          {vars{"start": "2026-01-01T00:00:00", "end": "2026-01-02T00:00:00Z"}, "timeRange.start"},
		"31 February":      {vars{"start": "2026-01-01T00:00:00Z", "end": "2026-02-31T00:00:00Z"}, "timeRange.end"},
		"hour of a digit":  {vars{"start": "2026-01-01T1:00:00Z", "end": "2026-02-01T00:00:00Z"}, "timeRange.start"},
		"a comma":          {vars{"start": "2026-01-01T01:00:00,5Z", "end": "2026-02-01T00:00:00Z"}, "timeRange.start"},
		"a number":         {vars{"start": 5, "end": "2026-02-01T00:00:00Z"}, "timeRange.start"},
		"year 10000":       {vars{"start": "2026-01-01T00:00:00Z", "end": "10000-01-01T00:00:00Z"}, "timeRange.end"},
		"no duration":      {vars{"last": "7d"}, "timeRange.last"},
		"empty duration":   {vars{"last": ""}, "timeRange.last"},
		"zero duration":    {vars{"last": "PT0S"}, "timeRange.last"},
		"bare P":           {vars{"last": "P"}, "timeRange.last"},
		"bare T":           {vars{"last": "P7DT"}, "timeRange.last"},
		"negative":         {vars{"last": "-P7D"}, "timeRange.last"},
		"cut":              {vars{"last": "P7"}, "timeRange.last"},
		"rest":             {vars{"last": "P7D1"}, "timeRange.last"},
		"digits before T":  {vars{"last": "P1T5M"}, "timeRange.last"},
		"twice":            {vars{"last": "P1D2D"}, "timeRange.last"},
		"wrong order":      {vars{"last": "P1D1Y"}, "timeRange.last"},
		"time without T":   {vars{"last": "P5H"}, "timeRange.last"},
		"beyond 292 years": {vars{"last": "P300Y"}, "timeRange.last"},
		"wraps to plus":    {vars{"last": "P600Y"}, "timeRange.last"},
		"endless":          {vars{"last": "P" + strings.Repeat("9", 300) + "D"}, "timeRange.last"},
		"duration number":  {vars{"last": 7}, "timeRange.last"},
	}
	for name, c := range ranges {
		w.ask(whereQuery, vars{"timeRange": c.in}).refused(t, "range: "+name, "BAD_USER_INPUT", c.path)
	}
	for _, last := range []string{"P7D", "PT2H30M", "P1Y2M3W4DT5H6M7.5S", "P0.5D", "P200Y"} {
		w.must(whereQuery, vars{"timeRange": vars{"last": last}})
	}
	for _, c := range []struct {
		where vars
		path  string
	}{
		{vars{"process": vars{"name": vars{"eq": nil}}}, "process.name.eq"}, {vars{"process": vars{"name": vars{"in": nil}}}, "process.name.in"},
		{vars{"process": vars{"name": nil}}, "process.name"}, {vars{"process": nil}, "process"}, {vars{"not": nil}, "not"}, {vars{"and": nil}, "and"},
		{vars{"process": vars{"file": vars{"hashes": vars{"some": nil}}}}, "process.file.hashes.some"},
		{vars{"process": vars{"file": vars{"hashes": vars{"some": vars{"value": nil}}}}}, "process.file.hashes.some.value"},
		{vars{"or": []vars{{}, {"process": vars{"not": vars{"name": vars{"regex": "("}}}}}}, "or[1].process.not.name.regex"},
		{vars{"process": vars{"name": vars{"regex": `(a)\1`}}}, "process.name.regex"}, {vars{"process": vars{"name": vars{"regex": `a(?=b)`}}}, "process.name.regex"},
		{vars{"device": vars{"ip": vars{"eq": "10.0.0"}}}, "device.ip.eq"}, {vars{"device": vars{"ip": vars{"in": []string{"::1", "fe80::1%eth0"}}}}, "device.ip.in"},
		{vars{"device": vars{"ip": vars{"cidr": "10.0.0.0/33"}}}, "device.ip.cidr"}, {vars{"device": vars{"ip": vars{"cidr": "10.0.0.0"}}}, "device.ip.cidr"},
		{vars{"device": vars{"ip": vars{"eq": 5}}}, "device.ip.eq"}, {vars{"time": vars{"lt": "soon"}}, "time.lt"}, {vars{"time": vars{"in": []any{"2026-01-01T00:00:00Z", 5}}}, "time.in"},
		{vars{"process": vars{"name": vars{"eq": 5}}}, "process.name.eq"},
	} {
		w.ask(whereQuery, vars{"timeRange": wideVar(), "where": c.where}).refused(t, fmt.Sprint(c.where), "BAD_USER_INPUT", "where."+c.path)
	}
	for _, c := range []struct {
		where vars
		path  string
	}{
		{vars{"nobody": vars{}}, "nobody"}, {vars{"process": vars{"nobody": vars{}}}, "process.nobody"}, {vars{"process": vars{"name": vars{"near": "x"}}}, "process.name.near"},
		{vars{"process": vars{"pid": vars{"eq": "five"}}}, "process.pid.eq"}, {vars{"process": vars{"pid": vars{"eq": 1.5}}}, "process.pid.eq"},
		{vars{"process": vars{"name": "cmd.exe"}}, "process.name"}, {vars{"process": vars{"name": vars{"eq": []string{"a"}}}}, "process.name.eq"},
		{vars{"activity": vars{"eq": "FLY"}}, "activity.eq"}, {vars{"process": vars{"name": vars{"exists": "yes"}}}, "process.name.exists"}, {vars{"device": vars{"ip": vars{"scope": "MOON"}}}, "device.ip.scope"},
		{vars{"process": vars{"name": vars{"in": []any{nil}}}}, "process.name.in[0]"}, {vars{"and": []any{nil}}, "and[0]"},
	} {
		w.ask(whereQuery, vars{"timeRange": wideVar(), "where": c.where}).refused(t, fmt.Sprint(c.where), "BAD_USER_INPUT", "variable.where."+c.path)
	}
}

// TestInvalidDocuments: what the schema does not know is refused before anything runs.
func TestInvalidDocuments(t *testing.T) {
	w := inputWorld(t)
	list := func(args, sel string) string { return `{processActivities(` + args + `) {` + sel + `}}` }
	for _, query := range []string{
		list("timeRange: "+wide, "nodes {nobody}"), list("timeRange: "+wide+", where: {nobody: {}}", "nodes {uid}"), list("timeRange: "+wide+", where: {process: {name: {near: \"x\"}}}", "nodes {uid}"),
		list("timeRange: "+wide+", orderBy: SIDEWAYS", "nodes {uid}"), list("timeRange: "+wide+", where: {activity: {eq: FLY}}", "nodes {uid}"), list("timeRange: "+wide+", where: {activity: {eq: \"LAUNCH\"}}", "nodes {uid}"),
		list("timeRange: "+wide+", first: \"ten\"", "nodes {uid}"), list("timeRange: "+wide+", where: {process: {name: {eq: 5}}}", "nodes {uid}"), list("first: 5", "nodes {uid}"), list("timeRange: "+wide, "nodes"), `{nobody}`,
		list("timeRange: {first: 5}", "nodes {uid}"), `{networkActivities(timeRange: ` + wide + `, where: {traffic: {bytesIn: {eq: 99999999999999999999}}}) {nodes {uid}}}`, list("timeRange: "+wide+", where: {process: {name: {in: [null]}}}", "nodes {uid}"),
	} {
		r := w.ask(query, nil)
		if len(r.Errors) == 0 || r.Errors[0].Extensions["code"] != "GRAPHQL_VALIDATION_FAILED" || r.Data != nil {
			t.Errorf("%s: %v %s", query, r.Errors, r.raw)
		}
		for _, e := range r.Errors {
			if strings.Contains(e.Message, "Did you mean") {
				t.Errorf("%s: the error suggests names: %s", query, e.Message)
			}
		}
	}
}

// TestColumnsOfOtherClasses: types are shared by classes, columns are not. A name that the class does not type is never just missing.
func TestColumnsOfOtherClasses(t *testing.T) {
	_, c := filled(t, 1, "acme", "a", 5, ocsf.Authentication, ocsf.ProcessActivity)
	w := newWorld(t, c)
	class := ocsf.ByUID(ocsf.Authentication)
	other := ""
	for i := range ocsf.Classes() {
		for _, col := range ocsf.Classes()[i].Columns {
			if strings.HasPrefix(col.GraphQL, "user.") && strings.Count(col.GraphQL, ".") == 1 && col.Type == ocsf.String && class.ByGraphQL(col.GraphQL) == nil {
				other = strings.TrimPrefix(col.GraphQL, "user.")
			}
		}
	}
	if other == "" {
		t.Fatal("every column of user is one of Authentication; take another object")
	}
	query := `query($w: AuthenticationFilter) {authentications(timeRange: ` + wide + `, where: $w) {nodes {uid}}}`
	for path, f := range map[string]vars{
		"where.user." + other:           {"user": vars{other: vars{"exists": false}}},
		"where.user.not." + other:       {"user": vars{"not": vars{other: vars{"eq": "x"}}}},
		"where.or[0].not.user." + other: {"or": []vars{{"not": vars{"user": vars{other: vars{}}}}}},
	} {
		r := w.ask(query, vars{"w": f})
		r.refused(t, path, "BAD_USER_INPUT", path)
		if len(r.Errors) == 1 && !strings.Contains(r.Errors[0].Message, "Authentication has no column user."+other) {
			t.Errorf("the message is %q", r.Errors[0].Message)
		}
	}
	r := w.must(`{authentications(timeRange: `+wide+`, first: 100) {nodes {user {`+other+` __typename}} coverage {complete}}}`, nil)
	if n := len(r.list("authentications.nodes")); n == 0 || r.at("authentications.nodes.0.user") != nil {
		t.Errorf("a column that the class lacks is %v in an answer of %d rows", r.at("authentications.nodes.0.user"), n)
	}
}

const huntQuery = `query($in: HuntInput!, $first: Int, $after: String) {hunt(input: $in, first: $first, after: $after) {nodes {uid __typename ... on ProcessActivity {process {name}}} edges {cursor node {id}} pageInfo {hasNextPage endCursor} totalCount {value accuracy} coverage {verdict complete connections {state}}}}`

func huntOf(root string, where vars) vars {
	return vars{"timeRange": wideVar(), "match": vars{"steps": []vars{{"as": "x", "event": vars{root: where}}}}}
}

// TestHuntInputs: @oneOf holds in variables too, and errors have the paths of the input.
func TestHuntInputs(t *testing.T) {
	w := inputWorld(t)
	event := func(e any) vars {
		return vars{"timeRange": wideVar(), "match": vars{"steps": []any{vars{"as": "x", "event": e}}}}
	}
	filter := huntOf("processActivities", vars{"process": vars{"name": vars{"eq": "cmd.exe"}}})
	for name, c := range map[string]struct {
		in   vars
		path string
	}{
		"no class":      {event(vars{}), "input.match.steps[0].event"},
		"two classes":   {event(vars{"processActivities": vars{}, "fileActivities": vars{}}), "input.match.steps[0].event"},
		"class is null": {event(vars{"processActivities": nil}), "input.match.steps[0].event.processActivities"},
		"one and null":  {event(vars{"processActivities": vars{}, "fileActivities": nil}), "input.match.steps[0].event"},
		"no match":      {with(filter, "match", vars{}), "input.match"},
		"steps null":    {with(filter, "match", vars{"steps": nil}), "input.match.steps"},
		"no step":       {with(filter, "match", vars{"steps": []vars{}}), "input.match.steps"},
		"two steps":     {with(filter, "match", vars{"steps": []vars{{"as": "x", "event": vars{"baseEvents": vars{}}}, {"as": "y", "event": vars{"baseEvents": vars{}}}}}), "input.match.steps"},
		"regex":         {huntOf("processActivities", vars{"not": vars{"process": vars{"name": vars{"regex": "("}}}}), "input.match.steps[0].event.processActivities.not.process.name.regex"},
		"range":         {with(filter, "timeRange", vars{"last": "7"}), "input.timeRange.last"},
		"half a range":  {with(filter, "timeRange", vars{"start": "2026-01-01T00:00:00Z"}), "input.timeRange"},
		"no tenants":    {with(filter, "tenants", []string{}), "input.tenants"},
		"a connection":  {with(filter, "connections", []string{"nobody"}), "input.connections"},
		"order":         {with(filter, "orderBy", "time_desc"), "input.orderBy"},
		"on failure":    {with(filter, "onSourceFailure", "fail"), "input.onSourceFailure"},
	} {
		w.ask(huntQuery, vars{"in": c.in}).refused(t, name, "BAD_USER_INPUT", c.path)
		w.ask(`query($in: HuntInput!) {explainHunt(input: $in) {text}}`, vars{"in": c.in}).refused(t, "explain: "+name, "BAD_USER_INPUT", c.path)
	}
	single := with(filter, "match", vars{"steps": vars{"as": "x", "event": vars{"processActivities": vars{"process": vars{"name": vars{"eq": "cmd.exe"}}}}}})
	for _, in := range []vars{filter, single, with(filter, "tenants", "acme"), with(filter, "connections", []string{"web"})} {
		if got := w.must(huntQuery, vars{"in": in}).uids("hunt"); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%v gives %v", in, got)
		}
	}
	w.ask(huntQuery, vars{"in": filter, "first": -1}).refused(t, "first", "BAD_USER_INPUT", "first")
	w.ask(huntQuery, vars{"in": filter, "after": "x"}).refused(t, "after", "BAD_CURSOR", "after")
}

// TestUnknownConnections: a hunt of nothing must not pass for a complete one.
func TestUnknownConnections(t *testing.T) {
	w := threeConnections(t, 3)
	for name, names := range map[string][]string{"unknown": {"a", "nobody"}, "empty": {}, "of another tenant": {"b"}} {
		w.ask(pageQuery, vars{"timeRange": wideVar(), "tenants": []string{"beta"}, "connections": names}).refused(t, name, "BAD_USER_INPUT", "connections")
	}
	r := w.must(pageQuery, vars{"timeRange": wideVar(), "tenants": []string{"acme", "beta"}, "connections": []string{"b"}})
	lines := r.list("processActivities.coverage.connections")
	if len(lines) != 2 || at(lines[0], "connection") != "b" || len(r.uids("processActivities")) != 3 {
		t.Errorf("connection b: %v, %d rows", lines, len(r.uids("processActivities")))
	}
	if at(lines[1], "tenant") != "beta" || r.at("processActivities.coverage.complete") != false {
		t.Errorf("beta has no connection b, so nothing of it was searched: %v", lines)
	}
}

// TestRegexesAreBounded: each may compile to a thousand times its length.
func TestRegexesAreBounded(t *testing.T) {
	w := threeConnections(t, 1)
	list := func(n int) vars {
		var or []any
		for range n {
			or = append(or, vars{"process": vars{"name": vars{"regex": "[ak]{1000}"}}})
		}
		return vars{"timeRange": wideVar(), "tenants": []string{"acme"}, "where": vars{"or": or}}
	}
	w.must(pageQuery, list(100))
	w.ask(pageQuery, list(101)).refused(t, "101 regexes", "BAD_USER_INPUT", "where")
}
