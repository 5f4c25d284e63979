package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A window of documents of this package can be read as a table of ES|QL. The condition is the same query, and the cluster gives values by
// column, which costs it little more than half of what it needs to make a hit of each row. It is only taken for a window of which is known
// how many rows it has: as many have to come. If others do, because documents came or went meanwhile or because
// the cluster cuts what it answers, and if anything fails, the window is read within the point in time like any other.

// tableRows is the most rows of a table (esql.query.result_truncation_max_size); if a cluster has less, fewer come than are there.
const tableRows = 10_000

// partialTables is the first version whose tables may lack shards without an error, and which takes the argument that forbids it.
var partialTables = [2]int{8, 19}

// hasTables says whether the product has ES|QL with names in quotes. The first version that has it for production is 8.14.
func (p product) hasTables() bool { return p.name == productElasticsearch && p.since([2]int{8, 15}) }

// tabular says whether windows are to be read as tables.
func (s *search) tabular() bool { return s.tables.Load() && s.byValue.Load() }

// readTable reads a window as a table and calls asked when it asks for no more than is under way; false if it has to be read in another way.
func (s *search) readTable(w *window, b bucket, asked func()) (bool, error) {
	if !s.tabular() || b.rows == 0 || b.rows > tableRows {
		return false, nil
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	asked()
	d := s.reader()
	defer s.free(d)
	found, ok := s.table(b, d)
	s.leave()
	if !ok {
		return false, s.ctx.Err()
	}
	s.seen.Add(b.rows)
	if s.expected > 0 { // nothing else was asked
		s.promised.Add(b.rows)
	}
	return true, s.send(w, s.finish(found, b.period, nil))
}

// table asks for a table of each part; false if not as many rows came as are there.
func (s *search) table(b bucket, d *reader) (rows, bool) {
	came := int64(0)
	for _, p := range s.parts {
		indices := p.readable()
		if len(indices) == 0 {
			continue
		}
		a, err := s.e.client.do(s.ctx, s.tableOf(p, indices, b.period), d.buf)
		if r := refusalOf(err); r != nil && r.status < http.StatusInternalServerError && r.status != http.StatusTooManyRequests {
			s.tables.Store(false) // the cluster has no tables, or not for this credential
		}
		if err != nil {
			return rows{}, false
		}
		d.buf = a.body
		n, err := d.decoder.(*documentDecoder).table(a.body)
		if err != nil {
			return rows{}, false
		}
		came += int64(n)
	}
	if came < b.rows {
		s.tables.Store(false) // the cluster cuts them
	}
	return d.take(), came == b.rows
}

// tableOf is the request for a table.
func (s *search) tableOf(p *part, indices []string, at period) raw {
	from := make([]string, len(indices))
	for i, name := range indices {
		from[i] = quote(name)
	}
	body, _ := json.Marshal(struct { // texts always encode
		Query    string          `json:"query"`
		Columnar bool            `json:"columnar"`
		Filter   json.RawMessage `json:"filter"`
	}{
		fmt.Sprintf("FROM %s | KEEP %s | LIMIT %d", strings.Join(from, ", "), s.columns.names, tableRows), true,
		json.RawMessage(fmt.Sprintf(`{"bool":{"filter":[%s,%s],"must_not":%s}}`, p.query, p.scale.query(at), exists(longField).raw())),
	})
	r := raw{method: http.MethodPost, path: "_query", body: body}
	if s.product.since(partialTables) {
		r.query = url.Values{"allow_partial_results": {"false"}}
	}
	return r
}

// columnNames writes names of columns for ES|QL.
func columnNames(paths []string) string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = "`" + strings.ReplaceAll(path, ".", "`.`") + "`"
	}
	return strings.Join(names, ",")
}

// readable returns the indices of a part that can be read.
func (p *part) readable() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost {
		return nil
	}
	return p.left
}

// table appends the rows of a table, which has the columns of the request in any order, and returns how many there are. The error says that
// it is none, or lacks shards; then nothing is appended.
func (d *documentDecoder) table(body []byte) (int, error) {
	if len(body) > spanSize {
		return 0, errEnvelope
	}
	d.found.spans, d.found.scratch, d.body = d.found.spans[:0], d.found.scratch[:0], body
	t := &table{documentDecoder: d, scanner: scanner{b: body}, blank: make([]span, len(d.row))}
	err := t.members(t.member)
	if err != nil || t.space() < len(body) || t.partial || !t.whole() {
		d.body = nil
		return 0, errEnvelope
	}
	d.decodeValues(&envelope{count: t.rows})
	return t.rows, nil
}

// table is an answer that is being read.
type table struct {
	*documentDecoder
	scanner
	blank   []span  // a row without values
	columns []*leaf // in the order of the answer
	filled  int     // columns
	rows    int
	partial bool
}

// member reads a member of the answer.
func (t *table) member(key []byte) error {
	if string(key) == "values" {
		return t.each('[', ']', t.column)
	}
	value, err := t.value()
	if err != nil {
		return err
	}
	switch string(key) {
	case "is_partial":
		t.partial = !bytes.Equal(value, []byte("false"))
	case "columns":
		return t.head(value)
	}
	return nil
}

// head reads which columns there are.
func (t *table) head(value []byte) error {
	var columns []struct{ Name, Type string }
	if err := json.Unmarshal(value, &columns); err != nil {
		return err
	}
	known := map[*leaf]bool{}
	for _, c := range columns {
		v := t.documentDecoder.values[c.Name]
		if v == nil || known[v.leaf] || c.Type == "unsupported" {
			return errEnvelope
		}
		known[v.leaf] = true
		t.columns = append(t.columns, v.leaf)
	}
	return nil
}

// column notes where the values of the next column stand.
func (t *table) column() error {
	if t.filled == len(t.columns) {
		return errEnvelope
	}
	cell, width, row := t.columns[t.filled].cell, len(t.row), 0
	err := t.each('[', ']', func() error {
		at, err := t.place()
		switch {
		case err != nil:
			return err
		case t.filled == 0:
			t.rows++
			t.found.spans = append(t.found.spans, t.blank...)
		case row == t.rows:
			return errEnvelope
		}
		t.found.spans[row*width+cell] = at
		row++
		return nil
	})
	if t.filled++; err == nil && row != t.rows {
		err = errEnvelope
	}
	return err
}

// place notes where the next value stands. It is written for what is common: a text, a whole number, and null.
func (t *table) place() (span, error) {
	rest := t.b[t.space():]
	if len(rest) > 0 && rest[0] == '"' {
		from := t.i
		if !t.text() {
			return span{}, t.broken()
		}
		return t.textSpan(&t.scanner, from, t.b[from:t.i])
	}
	if bytes.HasPrefix(rest, []byte("null")) {
		t.i += len("null")
		return span{}, nil
	}
	if n := digits(rest); n > 0 && (rest[n] == ',' || rest[n] == ']') {
		at := span{uint32(t.i), uint32(n)}
		t.i += n
		return at, nil
	}
	return t.anySpan(&t.scanner)
}

// whole says whether every column of the request was there. A table without rows may be without values.
func (t *table) whole() bool {
	return len(t.columns) == len(t.documentDecoder.values) && (t.filled == len(t.columns) || t.filled == 0)
}
