package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/schollz/progressbar/v3"
)

// bar shows the progress of long work on a terminal, and nothing elsewhere.
type bar struct{ inner *progressbar.ProgressBar }

// progress starts a bar on stderr, so that it never mixes with an answer.
func (p *program) progress(what string) bar {
	if !p.ttyErr {
		return bar{}
	}
	return bar{progressbar.NewOptions64(-1, progressbar.OptionSetWriter(p.stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(65e6))}
}

func (b bar) set(done, total int64) {
	if b.inner != nil {
		b.inner.ChangeMax64(total)
		_ = b.inner.Set64(done) // a bar that cannot be drawn is no failure of the work
	}
}

func (b bar) finish() {
	if b.inner != nil {
		_ = b.inner.Finish()
	}
}

// answer is the part of a response that the tables show.
type answer struct {
	Nodes    []map[string]any `json:"nodes"`
	PageInfo struct {
		HasNextPage bool `json:"hasNextPage"`
	} `json:"pageInfo"`
	Coverage coverage `json:"coverage"`
}

type coverage struct {
	Verdict     string
	Complete    bool
	Connections []coverageLine
}

type coverageLine struct {
	Tenant, Connection, Stream, State string
	Reason                            *string
	Missing                           []string
	RowsScanned                       *int64
	RowsReturned                      int64
	Rejected, Untimed, PartsFailed    int64
	Nulled                            *int64
	NulledFirst                       *string
	Truncated                         bool
	Notes                             []string
	TookMs                            float64
	Error                             *sourceError
}

type sourceError struct{ Code, Message string }

// decode returns one root field of a response. Errors of the request as a whole become an error of one line.
func decode[T any](resp *graphql.Response, field string) (*T, error) {
	var data map[string]*T
	if len(resp.Data) > 0 {
		if err := json.Unmarshal(resp.Data, &data); err != nil {
			return nil, fmt.Errorf("the response is not as expected: %w", err)
		}
	}
	if data[field] == nil {
		for _, e := range resp.Errors {
			return nil, fmt.Errorf("%v: %s", e.Extensions["code"], e.Message)
		}
		return nil, fmt.Errorf("the response has no %s", field)
	}
	return data[field], nil
}

// printAnswer prints an event list: tables on a terminal, the response as it is otherwise.
func (p *program) printAnswer(resp *graphql.Response, field string, fields []string) error {
	a, err := decode[answer](resp, field)
	if err != nil {
		return err
	}
	if p.tty {
		p.printEvents(a, fields)
		p.printCoverage(&a.Coverage)
	} else if err := p.printJSON(resp); err != nil {
		return err
	}
	if !a.Coverage.Complete {
		return errIncomplete
	}
	return nil
}

func (p *program) printJSON(resp *graphql.Response) error {
	enc := json.NewEncoder(p.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(resp)
}

func (p *program) table() table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(p.stdout)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault // names are typed again as they stand
	return t
}

// widest is how many characters of a value a table shows.
const widest = 60

func (p *program) printEvents(a *answer, fields []string) {
	if len(a.Nodes) == 0 {
		return
	}
	t := p.table()
	head := table.Row{}
	for _, f := range fields {
		head = append(head, f)
	}
	t.AppendHeader(head)
	for _, n := range a.Nodes {
		row := table.Row{}
		for _, f := range fields {
			row = append(row, cell(n, strings.Split(f, ".")))
		}
		t.AppendRow(row)
	}
	t.Render()
	if a.PageInfo.HasNextPage {
		fmt.Fprintln(p.stdout, "there are more events; --first shows more of them")
	}
}

// cell returns the value at a path as text of one line, safe for a terminal.
func cell(v any, path []string) string {
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[key]
	}
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		raw, _ := json.Marshal(v)
		s = string(raw)
	}
	return clean(s)
}

// printable makes text safe for a terminal: control characters could move the cursor or change colours.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// oneLine makes text printable on one line, however long: what went wrong is not to be cut.
func oneLine(s string) string { return strings.ReplaceAll(printable(s), "\n", " ") }

// clean makes text of a record fit into a cell: printable, on one line, not too wide.
func clean(s string) string {
	s = oneLine(s)
	if r := []rune(s); len(r) > widest {
		return string(r[:widest-1]) + "…"
	}
	return s
}

func (p *program) printCoverage(c *coverage) {
	fmt.Fprintf(p.stdout, "%s\n", p.paint(c.Verdict, c.Complete))
	t := p.table()
	t.AppendHeader(table.Row{"source", "stream", "state", "scanned", "returned", "ms", "why"})
	for i := range c.Connections {
		l := &c.Connections[i]
		scanned := "?"
		if l.RowsScanned != nil {
			scanned = fmt.Sprint(*l.RowsScanned)
		}
		good := l.State == "COMPLETE" || l.State == "PRUNED"
		t.AppendRow(table.Row{l.Tenant + "/" + l.Connection, l.Stream, p.paint(l.State, good), scanned, l.RowsReturned, fmt.Sprintf("%.0f", l.TookMs), l.why()})
	}
	t.Render()
	for _, l := range c.Connections {
		for _, n := range l.Notes {
			fmt.Fprintf(p.stdout, "%s/%s: %s\n", l.Tenant, l.Connection, printable(n))
		}
	}
}

// why says what is remarkable about a line.
func (l *coverageLine) why() string {
	var parts []string
	if l.Error != nil {
		parts = append(parts, l.Error.Code+": "+l.Error.Message)
	}
	if l.Reason != nil {
		parts = append(parts, *l.Reason)
	}
	if len(l.Missing) > 0 {
		parts = append(parts, strings.Join(l.Missing, ", "))
	}
	for _, c := range []struct {
		n    int64
		what string
	}{{l.Rejected, "records rejected"}, {l.PartsFailed, "parts failed"}, {l.Untimed, "events without a time"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if l.Nulled != nil && *l.Nulled > 0 && l.NulledFirst != nil {
		parts = append(parts, fmt.Sprintf("%d values of a wrong type, the first in %s", *l.Nulled, *l.NulledFirst))
	}
	if l.Truncated {
		parts = append(parts, "truncated")
	}
	return text.WrapSoft(printable(strings.Join(parts, "; ")), widest)
}

func (p *program) paint(word string, good bool) string {
	switch {
	case !p.tty:
		return word
	case good:
		return text.FgGreen.Sprint(word)
	}
	return text.FgYellow.Sprint(word)
}

func (p *program) printPlan(resp *graphql.Response) error {
	plan, err := decode[struct{ Text string }](resp, "explainHunt")
	if err != nil {
		return err
	}
	if !p.tty {
		return p.printJSON(resp)
	}
	_, err = fmt.Fprint(p.stdout, printable(plan.Text))
	return err
}
