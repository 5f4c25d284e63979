package graph

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sosodev/duration"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// bad makes the error of an input at a GraphQL path.
func bad(path, format string, args ...any) error {
	return &hunt.Error{Code: hunt.BadUserInput, Path: path, Message: fmt.Sprintf(format, args...)}
}

// condition converts a `where` input of a class. Names that the class does not type are refused, never taken as false.
func condition(class *ocsf.Class, where map[string]any, path string) (hunt.Expr, error) {
	c := converter{class: class}
	e, err := c.object(where, "", path)
	if err != nil {
		return nil, err
	}
	return e, bounded(e, path)
}

// maxRegexes is how many regular expressions a hunt takes. Each may compile to a thousand times its length.
const maxRegexes = 100

func bounded(e hunt.Expr, path string) error {
	n := 0
	hunt.Walk(e, func(p *hunt.Predicate) {
		if p.Op == hunt.RegexOp {
			n++
		}
	})
	if n > maxRegexes {
		return bad(path, "%d regular expressions; a hunt takes %d, use contains for keywords", n, maxRegexes)
	}
	return nil
}

type converter struct{ class *ocsf.Class }

// object converts the filter on an object; prefix is its dotted GraphQL name with a dot, empty for the event. All keys must hold.
func (c converter) object(in map[string]any, prefix, path string) (hunt.Expr, error) {
	out := hunt.And{}
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if in[key] == nil {
			return nil, bad(path+"."+key, "null is no condition; leave the key out")
		}
		e, err := c.key(key, in[key], prefix, path+"."+key)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return out, nil
}

func (c converter) key(key string, v any, prefix, path string) (hunt.Expr, error) {
	switch key {
	case "and":
		list, err := c.all(v, prefix, path)
		return hunt.And(list), err
	case "or":
		list, err := c.all(v, prefix, path)
		return hunt.Or(list), err
	}
	in, ok := v.(map[string]any)
	if !ok {
		return nil, bad(path, "%v is no input object", v)
	}
	if key == "not" {
		e, err := c.object(in, prefix, path)
		return hunt.Not{Expr: e}, err
	}
	if col := c.class.ByGraphQL(prefix + key); col != nil {
		return leaf(col, in, path)
	}
	if !c.class.HasPrefix(prefix + key) {
		return nil, bad(path, "%s has no column %s", c.class.Type, prefix+key)
	}
	if list := c.class.ListByGraphQL(prefix + key); list != "" {
		return c.some(list, in, prefix+key+".", path)
	}
	return c.object(in, prefix+key+".", path)
}

func (c converter) all(v any, prefix, path string) ([]hunt.Expr, error) {
	out := []hunt.Expr{}
	for i, item := range asList(v) {
		at := fmt.Sprintf("%s[%d]", path, i)
		in, ok := item.(map[string]any)
		if !ok {
			return nil, bad(at, "%v is no input object", item)
		}
		e, err := c.object(in, prefix, at)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// some converts `{some: {...}}`; {} holds always.
func (c converter) some(list string, in map[string]any, prefix, path string) (hunt.Expr, error) {
	v, ok := in["some"]
	if !ok {
		return hunt.True(), nil
	}
	inner, ok := v.(map[string]any)
	if !ok {
		return nil, bad(path+".some", "%v is no input object; leave the key out", v)
	}
	e, err := c.object(inner, prefix, path+".some")
	return hunt.Some{List: list, Expr: e}, err
}

// leaf converts the filter on one column. All operators must hold; {} holds always.
func leaf(col *ocsf.Column, in map[string]any, path string) (hunt.Expr, error) {
	caseSensitive, _ := in["caseSensitive"].(bool)
	out := hunt.And{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if name == "caseSensitive" {
			continue
		}
		op, ok := hunt.ParseOp(name)
		if !ok || in[name] == nil {
			return nil, bad(path+"."+name, "%v is no condition of %s", in[name], name)
		}
		args, err := arguments(col, op, in[name], path+"."+name)
		if err != nil {
			return nil, err
		}
		p, err := hunt.NewPredicate(col, op, caseSensitive, args...)
		if err != nil {
			e := hunt.AsError(err, hunt.BadUserInput)
			e.Path = path + "." + name
			return nil, e
		}
		out = append(out, p)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return out, nil
}

func arguments(col *ocsf.Column, op hunt.Op, v any, path string) ([]hunt.Value, error) {
	items := []any{v}
	if op == hunt.In {
		items = asList(v)
	}
	args := make([]hunt.Value, len(items))
	for i, item := range items {
		a, err := argument(col, op, item, path)
		if err != nil {
			return nil, err
		}
		args[i] = a
	}
	return args, nil
}

func argument(col *ocsf.Column, op hunt.Op, v any, path string) (hunt.Value, error) {
	switch {
	case op == hunt.Exists:
		b, _ := v.(bool)
		return hunt.Bool(b), nil
	case op == hunt.CIDR || op == hunt.Scope:
		s, _ := v.(string)
		return hunt.String(s), nil
	}
	switch col.Type {
	case ocsf.Int, ocsf.Long:
		n, ok := integer(v)
		if !ok {
			return hunt.Value{}, bad(path, "%v is no whole number of 64 bits", v)
		}
		return hunt.Int(n), nil
	case ocsf.Float:
		return floatArgument(v, path)
	case ocsf.Boolean:
		b, _ := v.(bool)
		return hunt.Bool(b), nil
	}
	return textArgument(col, v, path)
}

func floatArgument(v any, path string) (hunt.Value, error) {
	f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil || math.IsNaN(f) {
		return hunt.Value{}, bad(path, "%v is no number", v)
	}
	return hunt.Float(f), nil
}

// textArgument converts what GraphQL gives as text.
func textArgument(col *ocsf.Column, v any, path string) (hunt.Value, error) {
	s, ok := v.(string)
	if !ok {
		return hunt.Value{}, bad(path, "%v is no text", v)
	}
	switch col.Type {
	case ocsf.Enum:
		id, ok := col.Enum.ID(s)
		if !ok {
			return hunt.Value{}, bad(path, "%s has no value %s", col.Enum.Name, s)
		}
		return hunt.Int(id), nil
	case ocsf.IP:
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return hunt.Value{}, bad(path, "%q is no IP address", s)
		}
		return hunt.IP(a), nil
	case ocsf.Time:
		us, err := instant(s, path)
		return hunt.Time(us), err
	}
	return hunt.String(s), nil
}

// integer accepts what JSON and GraphQL literals make of a whole number, and decimal text.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// instant reads RFC 3339 and cuts it to microseconds.
func instant(s, path string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || s[13] != ':' || strings.Contains(s, ",") { // Parse takes hours of one digit and decimal commas
		return 0, bad(path, "%q is no RFC 3339 instant such as 2026-01-31T13:00:00Z", s)
	}
	return t.UnixMicro(), nil
}

// timeRange converts a TimeRangeInput. now resolves `last`.
func timeRange(in map[string]any, now time.Time, path string) (hunt.TimeRange, error) {
	_, hasStart := in["start"]
	_, hasEnd := in["end"]
	last, hasLast := in["last"]
	switch {
	case hasLast && !hasStart && !hasEnd:
		return lastRange(last, now, path+".last")
	case hasLast || !hasStart || !hasEnd:
		return hunt.TimeRange{}, bad(path, "give start and end, or last; an answer always says which time it covers")
	}
	start, _ := in["start"].(string)
	end, _ := in["end"].(string)
	from, err := instant(start, path+".start")
	if err != nil {
		return hunt.TimeRange{}, err
	}
	to, err := instant(end, path+".end")
	if err != nil {
		return hunt.TimeRange{}, err
	}
	if from >= to {
		return hunt.TimeRange{}, bad(path, "the range ends at %s, before or at its start %s", end, start)
	}
	return hunt.TimeRange{Start: from, End: to}, nil
}

func lastRange(v any, now time.Time, path string) (hunt.TimeRange, error) {
	s, _ := v.(string)
	d, err := duration.Parse(s)
	if err != nil || !isDuration(s) || d.ToTimeDuration() <= 0 && years(d) <= maxYears {
		return hunt.TimeRange{}, bad(path, "%q is no ISO 8601 duration such as P7D or PT2H30M", s)
	}
	if years(d) > maxYears {
		return hunt.TimeRange{}, bad(path, "%s is more than %d years; give start and end", s, maxYears)
	}
	return hunt.TimeRange{Start: now.Add(-d.ToTimeDuration()).UnixMicro(), End: now.UnixMicro()}, nil
}

// maxYears is the longest `last`; beyond 292 years a time.Duration overflows.
const maxYears = 200

func years(d *duration.Duration) float64 {
	return d.Years + d.Months/12 + d.Weeks/52 + d.Days/365 + d.Hours/8760 + d.Minutes/525_600 + d.Seconds/31_536_000
}

// isDuration says whether s is P, then numbers with the designators Y M W D, then T and numbers with H M S, each once and in this
// order. Package duration takes more than ISO 8601 does, and reads P1T5M as 15 minutes.
func isDuration(s string) bool {
	rest, ok := strings.CutPrefix(s, "P")
	units, inTime := "YMWD", false
	for ok && rest != "" {
		if rest[0] == 'T' && !inTime {
			units, inTime, rest = "HMS", true, rest[1:]
			ok = rest != ""
			continue
		}
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		if n == 0 || n == len(rest) || !strings.Contains(units, rest[n:n+1]) {
			return false
		}
		_, units, _ = strings.Cut(units, rest[n:n+1])
		rest = rest[n+1:]
	}
	return ok
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// asList wraps a single value, as GraphQL's list coercion does. gqlparser makes typed slices of single values in variables.
func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	list := reflect.ValueOf(v)
	if list.Kind() != reflect.Slice {
		return []any{v}
	}
	out := make([]any, list.Len())
	for i := range out {
		out[i] = list.Index(i).Interface()
	}
	return out
}

func asStrings(v any) []string {
	if v == nil {
		return nil
	}
	out := []string{}
	for _, item := range asList(v) {
		s, _ := item.(string)
		out = append(out, s)
	}
	return out
}
