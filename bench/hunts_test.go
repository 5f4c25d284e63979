package bench_test

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// comparison is one hunt, as GraphQL and as SQL. Both sides return the same columns of the same rows in the same order.
type comparison struct {
	id, title string
	roots     []root // none if the API cannot ask it yet
	order     string // TIME_ASC or TIME_DESC
	first     int    // page size
	most      int    // rows wanted; 0 for all of them, page by page
	start     string // of the time range
	end       string
	sql       string
}

// root is the part of a hunt that asks one class. The service answers the root fields of a document at the same time.
type root struct {
	name   string // key of the answer, unique in the hunt
	class  string // OCSF name
	where  map[string]any
	fields string // besides uid and time
}

// The range of the hunts that ask for all times: an event without a time is in no range.
const allStart, allEnd = "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"

// largest is the largest page of the API.
const largest = 10_000

const (
	powershell   = "powershell"
	lsadump      = "lsadump"
	encodedPipe  = `frombase64string\(.{0,200}(iex|invoke-expression)`
	block        = "192.168.2.0/24"
	blockFrom    = "unhex('00000000000000000000ffffc0a80200')"
	blockTo      = "unhex('00000000000000000000ffffc0a802ff')"
	whenAll      = "time >= TIMESTAMPTZ '1970-01-01 00:00:00+00' AND time < TIMESTAMPTZ '2100-01-01 00:00:00+00'"
	launchID     = 1
	failureID    = 2
	newestWanted = 100
)

// comparisons lists the single-class hunts.
func comparisons(w *world) []comparison {
	list := []comparison{hunt2020(w), huntBlock(w), huntUsers(w), huntAnywhere(w)}
	if len(w.keywords) > 0 {
		list = append(list, huntKeywords(w))
	}
	list = append(list, huntHashes(w), huntRegex(w), huntFailures(w))
	for i := range list {
		c := &list[i]
		if c.start == "" {
			c.start, c.end = allStart, allEnd
		}
		if c.order == "" {
			c.order = "TIME_ASC"
		}
		if c.first == 0 {
			c.first = largest
		}
	}
	return list
}

func hunt2020(w *world) comparison {
	return comparison{
		id: "a", title: "process starts with powershell in the command line, 2020", start: "2020-01-01T00:00:00Z", end: "2021-01-01T00:00:00Z",
		roots: []root{{"starts", "process_activity", object("activity", object("eq", "LAUNCH"), "process", object("cmdLine", object("contains", powershell))), "device { hostname } process { name cmdLine user { name } }"}},
		sql: `SELECT uid, time, "device.hostname", "process.name", "process.cmd_line", "process.user.name" FROM ` + w.raw.table("process_activity", "2020-*") +
			fmt.Sprintf(` WHERE time >= TIMESTAMPTZ '2020-01-01 00:00:00+00' AND time < TIMESTAMPTZ '2021-01-01 00:00:00+00' AND activity_id = %d`, launchID) +
			` AND regexp_matches("process.cmd_line", '(?i)` + powershell + `') ORDER BY time, uid`,
	}
}

// huntBlock asks every class that has both addresses, since GraphQL hunts are by class.
func huntBlock(w *world) comparison {
	c := comparison{id: "b", title: "source or destination in " + block + ", newest 1,000", order: "TIME_DESC", first: 1000, most: 1000}
	var parts []string
	for _, class := range classesWith("src_endpoint.ip", "dst_endpoint.ip") {
		c.roots = append(c.roots, blockRoots(w.streams, class)...)
		parts = append(parts, `SELECT uid, time, "src_endpoint.ip" AS s, "dst_endpoint.ip" AS d FROM `+w.raw.table(class.Name, anyDay))
	}
	c.sql = fmt.Sprintf("SELECT uid, time, s, d FROM (%s) WHERE %s AND (s BETWEEN %s AND %s OR d BETWEEN %[3]s AND %[4]s) ORDER BY time DESC, uid DESC LIMIT %d",
		strings.Join(parts, " UNION ALL "), whenAll, blockFrom, blockTo, c.most)
	return c
}

// blockRoots asks one class. A stream without destinations cannot be asked for `source or destination`: it is IMPOSSIBLE, and coverage
// says so. Where a class has such streams, both sides are asked one by one, and the client joins the answers by uid.
func blockRoots(streams []hunt.Stream, class *ocsf.Class) []root {
	in := object("ip", object("cidr", block))
	source, destination := object("srcEndpoint", in), object("dstEndpoint", in)
	var both, sources, destinations bool
	for i := range streams {
		if s := &streams[i]; s.Class == class {
			from, to := s.Provides("src_endpoint.ip"), s.Provides("dst_endpoint.ip")
			both, sources, destinations = both || from && to, sources || from && !to, destinations || to && !from
		}
	}
	const fields = "srcEndpoint { ip } dstEndpoint { ip }"
	if !sources && !destinations {
		return []root{{class.Root, class.Name, object("or", []any{source, destination}), fields}}
	}
	var out []root
	if both || sources {
		out = append(out, root{class.Root + "From", class.Name, source, fields})
	}
	if both || destinations {
		out = append(out, root{class.Root + "To", class.Name, destination, fields})
	}
	return out
}

func huntUsers(w *world) comparison {
	var parts []string
	for _, class := range classesWith("actor.user.name") {
		parts = append(parts, `SELECT "actor.user.name" AS name FROM `+w.raw.table(class.Name, anyDay))
	}
	return comparison{id: "c", title: "twenty most frequent acting users",
		sql: "SELECT name, count(*) AS n FROM (" + strings.Join(parts, " UNION ALL ") + ") WHERE name IS NOT NULL GROUP BY name ORDER BY n DESC, name LIMIT 20"}
}

func huntAnywhere(w *world) comparison {
	c := comparison{id: "f", title: lsadump + " anywhere in the event"}
	var tables []string
	for _, class := range classesWith() {
		if table := w.raw.table(class.Name, anyDay); table != "" {
			c.roots = append(c.roots, root{class.Root, class.Name, object("raw", object("contains", lsadump)), ""})
			tables = append(tables, "SELECT uid, time, raw FROM "+table)
		}
	}
	c.sql = "SELECT uid, time FROM (" + strings.Join(tables, " UNION ALL ") + ") WHERE " + whenAll + " AND regexp_matches(raw, '(?i)" + lsadump + "') ORDER BY time, uid"
	return c
}

func huntKeywords(w *world) comparison {
	anyOf := func(filter func(keyword any) map[string]any) map[string]any {
		var list []any
		for _, k := range w.keywords {
			list = append(list, filter(object("contains", k)))
		}
		return object("or", list)
	}
	quoted := make([]string, len(w.keywords))
	for i, k := range w.keywords {
		quoted[i] = regexp.QuoteMeta(k)
	}
	return comparison{
		id: "g", title: fmt.Sprintf("command line or script text with any of %d keywords", len(w.keywords)),
		roots: []root{
			{"commands", "process_activity", anyOf(func(k any) map[string]any { return object("process", object("cmdLine", k)) }), "process { cmdLine }"},
			{"scripts", "script_activity", anyOf(func(k any) map[string]any { return object("script", object("scriptContent", object("value", k))) }), "script { scriptContent { value } }"},
		},
		sql: `SELECT uid, time, t FROM (SELECT uid, time, "process.cmd_line" AS t FROM ` + w.raw.table("process_activity", anyDay) +
			` UNION ALL SELECT uid, time, "script.script_content.value" FROM ` + w.raw.table("script_activity", anyDay) + `) WHERE ` + whenAll +
			` AND regexp_matches(t, '(?i)` + strings.ReplaceAll(strings.Join(quoted, "|"), "'", "''") + `') ORDER BY time, uid`,
	}
}

func huntHashes(w *world) comparison {
	values := make([]any, len(w.hashes))
	for i, h := range w.hashes {
		values[i] = h
	}
	some := object("hashes", object("some", object("value", object("in", values))))
	c := comparison{id: "h", title: fmt.Sprintf("file hash among %d, half of them present", len(w.hashes)), roots: []root{
		{"processes", "process_activity", object("process", object("file", some)), "process { file { path } }"},
		{"modules", "module_activity", object("module", object("file", some)), "module { file { path } }"},
		{"files", "file_activity", object("file", some), "file { path }"},
	}}
	// Unnesting and joining beats the list functions by far; a row with two such hashes is one row.
	paths := map[string]string{"process_activity": "process.file.path", "module_activity": "module.file.path", "file_activity": "file.path"}
	var parts []string
	for _, r := range c.roots {
		parts = append(parts, fmt.Sprintf("SELECT DISTINCT uid, time, p FROM (SELECT uid, time, %q AS p, unnest(%q).value AS v FROM %s) WHERE %s AND v IN ('%s')",
			paths[r.class], hashColumns()[r.class], w.raw.table(r.class, anyDay), whenAll, strings.Join(w.hashes, "', '")))
	}
	c.sql = strings.Join(parts, " UNION ALL ") + " ORDER BY time, uid"
	return c
}

func huntRegex(w *world) comparison {
	return comparison{
		id: "i", title: "regular expression on script text",
		roots: []root{{"scripts", "script_activity", object("script", object("scriptContent", object("value", object("regex", encodedPipe)))), "script { scriptContent { value } }"}},
		sql: `SELECT uid, time, "script.script_content.value" FROM ` + w.raw.table("script_activity", anyDay) + ` WHERE ` + whenAll +
			` AND regexp_matches("script.script_content.value", '(?i)` + encodedPipe + `') ORDER BY time, uid`,
	}
}

func huntFailures(w *world) comparison {
	return comparison{
		id: "j", title: "newest 100 authentications that failed", order: "TIME_DESC", first: newestWanted, most: newestWanted,
		roots: []root{{"failures", "authentication", object("status", object("eq", "FAILURE")), "user { name } srcEndpoint { ip } device { hostname }"}},
		sql: `SELECT uid, time, "user.name", "src_endpoint.ip", "device.hostname" FROM ` + w.raw.table("authentication", anyDay) +
			fmt.Sprintf(" WHERE %s AND status_id = %d ORDER BY time DESC, uid DESC LIMIT %d", whenAll, failureID, newestWanted),
	}
}

// object makes a JSON object of names and values in turn.
func object(pairs ...any) map[string]any {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}
