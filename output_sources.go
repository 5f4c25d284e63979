package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/jedib0t/go-pretty/v6/table"
)

// source is what the tables show of a connection.
type source struct {
	Tenant, Connection, Connector, State string
	Backend                              *string
	Healthy                              bool
	Error                                *sourceError
	Notes                                []string
	Denied                               []struct{ Action, Object, Message string }
	ClockSkewMs                          int64
	Health                               struct {
		LastErrorAt, RetryAt, ThrottledUntil *string
		LastError                            *sourceError
		Searches                             int64
	}
	Quota []struct {
		Name   string
		Left   int64
		Of     *int64
		Resets *string
	}
	Plugin *struct {
		Name, Version, Digest string
		Protocol, Restarts    int
		Confined              *string
		Egress                []string
	}
	Streams []sourceStream
}

// sourceStream is what the tables show of a stream.
type sourceStream struct {
	Name, Class          string
	Rows                 *int64
	Untimed              int64
	TimeRange            *struct{ Start, End string }
	Retention, Watermark *string
	Provides             []attributeSupport
}

// attributeSupport is how exactly an attribute can be asked for.
type attributeSupport struct {
	Path      string
	Operators []struct {
		Operator      string
		CaseSensitive bool
		Disposition   string
		Reason        *string
	}
}

func (s *source) name() string { return s.Tenant + "/" + s.Connection }

// printSources prints the connections with what they hold, and then in lines what a person has to know or do.
func (p *program) printSources(resp *graphql.Response) error {
	list, err := decode[[]source](resp, "sources")
	if err != nil {
		return err
	}
	if !p.tty {
		return p.printJSON(resp)
	}
	p.printStates(*list)
	p.printStreams(*list)
	for i := range *list {
		for _, line := range (*list)[i].lines() {
			fmt.Fprintf(p.stdout, "%s: %s\n", (*list)[i].name(), oneLine(line))
		}
	}
	for i := range *list {
		p.printSupport(&(*list)[i])
	}
	return nil
}

func (p *program) printStates(list []source) {
	t := p.table()
	t.AppendHeader(table.Row{"source", "connector", "backend", "state", "why"})
	for i := range list {
		s := &list[i]
		why := ""
		if s.Error != nil {
			why = s.Error.Code + ": " + s.Error.Message
		}
		t.AppendRow(table.Row{s.name(), s.Connector, printable(orEmpty(s.Backend)), p.paint(s.State, s.State == "HEALTHY"), printable(why)})
	}
	t.Render()
}

func (p *program) printStreams(list []source) {
	t := p.table()
	t.AppendHeader(table.Row{"source", "stream", "class", "events", "without time", "from", "to", "kept for"})
	for i := range list {
		for _, st := range list[i].Streams {
			row := table.Row{list[i].name(), st.Name, st.Class, "?", st.Untimed, "", "", orEmpty(st.Retention)}
			if st.Rows != nil {
				row[3] = *st.Rows
			}
			if st.TimeRange != nil {
				row[5], row[6] = st.TimeRange.Start, st.TimeRange.End
			}
			t.AppendRow(row)
		}
	}
	t.Render()
}

// lines says what the tables have no room for.
func (s *source) lines() []string {
	var out []string
	for _, d := range s.Denied {
		out = append(out, fmt.Sprintf("may not %s %s: %s", d.Action, d.Object, d.Message))
	}
	for _, q := range s.Quota {
		out = append(out, fmt.Sprintf("%d %s left%s%s", q.Left, q.Name, amount(" of ", q.Of), withText(", full again at ", q.Resets)))
	}
	if s.ClockSkewMs != 0 {
		out = append(out, fmt.Sprintf("its clock differs from ours by %d ms", s.ClockSkewMs))
	}
	if s.Plugin != nil {
		egress := ""
		if s.Plugin.Egress != nil {
			egress = ", talks to " + cmp.Or(strings.Join(s.Plugin.Egress, ", "), "nobody") + " (says its author)"
		}
		confined := "not bounded by the operating system"
		if s.Plugin.Confined != nil {
			confined = *s.Plugin.Confined
		}
		out = append(out, fmt.Sprintf("process of %s %s, %s, protocol %d, started again %d times, %s%s", s.Plugin.Name, s.Plugin.Version, s.Plugin.Digest, s.Plugin.Protocol, s.Plugin.Restarts, confined, egress))
	}
	if h := s.Health; h.LastError != nil && s.Error == nil {
		out = append(out, fmt.Sprintf("last failed%s: %s: %s", withText(" at ", h.LastErrorAt), h.LastError.Code, h.LastError.Message))
	}
	if until := s.Health.ThrottledUntil; until != nil {
		out = append(out, "asked to wait until "+*until)
	}
	return append(out, s.Notes...)
}

func orEmpty(s *string) string { return withText("", s) }

// withText is a text behind another, empty if there is none.
func withText(before string, s *string) string {
	if s == nil {
		return ""
	}
	return before + *s
}

func amount(before string, n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(before, *n)
}

// printSupport prints for each attribute which operators the source answers exactly, and which not and why.
func (p *program) printSupport(s *source) {
	for _, st := range s.Streams {
		if len(st.Provides) == 0 {
			continue
		}
		fmt.Fprintf(p.stdout, "\n%s %s %s\n", s.name(), st.Name, st.Class)
		t := p.table()
		t.AppendHeader(table.Row{"attribute", "exact", "widened", "filtered by Harrier"})
		for _, a := range st.Provides {
			t.AppendRow(append(table.Row{a.Path}, a.columns()...))
		}
		t.Render()
	}
}

// columns groups the operators by what becomes of them; `=` marks those that compare with case.
func (a attributeSupport) columns() []any {
	groups := map[string][]string{}
	for _, o := range a.Operators {
		name := o.Operator
		if o.CaseSensitive {
			name += "="
		}
		kind := o.Disposition
		if kind != "EXACT" && kind != "WIDENED" {
			kind = "LOCAL"
		}
		groups[kind] = append(groups[kind], name)
	}
	var out []any
	for _, kind := range []string{"EXACT", "WIDENED", "LOCAL"} {
		out = append(out, strings.Join(groups[kind], " "))
	}
	return out
}
