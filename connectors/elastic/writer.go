package elastic

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/valyala/fastjson"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Bounds of writing.
const (
	bulkBytes   = 5 << 20 // of one request
	bulkWorkers = 3       // requests at a time
	bulkRows    = 2000    // of a batch that a worker takes at a time
	bulkTries   = 10      // of a request, or of what is left of it
	bulkPause   = 100 * time.Millisecond
	bulkLongest = 10 * time.Second
	longestID   = 512 // bytes, that clusters take
)

var _ hunt.Sink = (*Elastic)(nil)

// Has implements hunt.Sink.
func (e *Elastic) Has(ctx context.Context, digest string) (bool, error) {
	if e.cfg.Format != FormatHarrier {
		return false, e.readOnly()
	}
	states, err := e.inputStates(ctx, []string{digest})
	return err == nil && states[0].done(), err
}

func (e *Elastic) readOnly() error {
	return e.client.fail(hunt.BadConfig, false, "a connection of format "+e.cfg.Format+" only reads; write to one of format harrier")
}

// Begin implements hunt.Sink. The inputs are marked as being written, so that hunts are not complete until Commit; what a writer that
// broke off has written stays, and is completed when its inputs are ingested again.
func (e *Elastic) Begin(ctx context.Context, inputs ...hunt.Input) (hunt.SinkWriter, error) {
	switch {
	case e.cfg.Format != FormatHarrier:
		return nil, e.readOnly()
	case !e.enter():
		return nil, e.errClosed()
	}
	w := &writer{e: e, inputs: inputs, indices: map[string]string{}, tasks: make(chan task), streams: map[string]bool{}}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.stop = context.AfterFunc(e.ctx, func() { w.cancel(context.Canceled) })
	var id [8]byte
	rand.Read(id[:]) // never fails
	w.id = hex.EncodeToString(id[:])
	if err := w.open(); err != nil {
		w.leave()
		return nil, err
	}
	for range bulkWorkers {
		w.workers.Go(w.work)
	}
	return w, nil
}

// writer takes the events of one commit.
type writer struct {
	e       *Elastic
	ctx     context.Context
	cancel  context.CancelCauseFunc
	stop    func() bool
	id      string
	inputs  []hunt.Input
	began   []bool            // of each input: somebody else has begun it before
	streams map[string]bool   // class/name that events were given of
	indices map[string]string // by class, stream and attributes
	tasks   chan task
	workers sync.WaitGroup
	drained bool // tasks is closed
	done    bool

	rows                int64 // given
	written, duplicates atomic.Int64
	requests            atomic.Int64
}

// task is rows of a batch to write.
type task struct {
	index string
	class *ocsf.Class
	rec   arrow.RecordBatch
}

// open marks the inputs as being written.
func (w *writer) open() error {
	if err := w.e.makeInputs(w.ctx); err != nil {
		return err
	}
	states, err := w.e.inputStates(w.ctx, w.digests())
	if err != nil {
		return err
	}
	var marks []inputChange
	for i, in := range w.inputs {
		if in.Digest == "" {
			return w.e.client.fail(hunt.BadConfig, false, "the input "+in.Name+" has no digest, so it could not be told from others")
		}
		if states[i].done() {
			return hunt.ErrIngested
		}
		w.began = append(w.began, states[i].Found)
		marks = append(marks, inputChange{inputDoc: inputDoc{Name: in.Name, Digest: in.Digest, State: inputWriting, Writer: w.id}, was: states[i]})
	}
	conflicts, err := w.e.changeInputs(w.ctx, marks)
	if err != nil {
		return err
	}
	defer w.e.forget()
	// Somebody else ingests these at this moment. If they are done, nothing is left to do; else events are written once all the same.
	if states, err = w.e.inputStates(w.ctx, pick(w.digests(), conflicts)); err != nil {
		return err
	}
	for i := range states {
		if states[i].done() {
			w.unmark()
			return hunt.ErrIngested
		}
	}
	return nil
}

func (w *writer) digests() []string {
	var out []string
	for _, in := range w.inputs {
		out = append(out, in.Digest)
	}
	return out
}

// pick returns some of a list.
func pick[T any](list []T, which []int) []T {
	var out []T
	for _, i := range which {
		out = append(out, list[i])
	}
	return out
}

// makeInputs makes the index of the inputs if it is not there.
func (e *Elastic) makeInputs(ctx context.Context) error {
	return e.makeIndex(ctx, e.inputsIndex(), []byte(`{"settings":{"index":{"number_of_shards":1,"auto_expand_replicas":"0-1"}},"mappings":{"dynamic":"strict","properties":{`+
		`"name":{"type":"keyword","ignore_above":8191},"digest":{"type":"keyword","ignore_above":8191},"state":{"type":"keyword"},"writer":{"type":"keyword"},`+
		`"records":{"type":"long"},"rejected":{"type":"long"},"streams":{"type":"keyword"}}}}`))
}

// makeIndex makes an index and waits until it can be written, unless it is there.
func (e *Elastic) makeIndex(ctx context.Context, name string, body []byte) error {
	a, err := e.client.do(ctx, esapi.IndicesExistsRequest{Index: []string{name}}, nil)
	if err == nil || a == nil || a.status != http.StatusNotFound {
		return err
	}
	_, err = e.client.do(ctx, esapi.IndicesCreateRequest{Index: name, Body: bytes.NewReader(body), WaitForActiveShards: "1"}, nil)
	if r := refusalOf(err); r != nil && r.problem.has("resource_already_exists_exception") {
		return nil // another writer was faster
	}
	return err
}

// Append implements hunt.SinkWriter. It keeps rec until it is written.
func (w *writer) Append(stream *hunt.Stream, rec arrow.RecordBatch) error {
	if w.done {
		return w.e.client.fail(hunt.Internal, false, "the writer has ended")
	}
	if stream == nil || stream.Class == nil {
		return w.e.client.fail(hunt.Internal, false, "the stream names no class")
	}
	if err := w.check(stream.Class, rec); err != nil {
		return err
	}
	index, err := w.index(stream)
	if err != nil || rec.NumRows() == 0 {
		return err
	}
	w.rows += rec.NumRows()
	for from := int64(0); from < rec.NumRows(); from += bulkRows {
		t := task{index, stream.Class, rec.NewSlice(from, min(rec.NumRows(), from+bulkRows))}
		select {
		case w.tasks <- t:
		case <-w.ctx.Done():
			return w.cause()
		}
	}
	return nil
}

// check refuses what documents could not hold.
func (w *writer) check(class *ocsf.Class, rec arrow.RecordBatch) error {
	for _, f := range rec.Schema().Fields() {
		known := class.Column(f.Name) != nil || len(class.List(f.Name)) > 0
		if !known || !arrow.TypeEqual(hunt.Field(class, f.Name).Type, f.Type) {
			return w.e.client.fail(hunt.Internal, false, fmt.Sprintf("column %s of type %s is not a column of %s", f.Name, f.Type, class.Name))
		}
	}
	at := rec.Schema().FieldIndices(ocsf.ColUID)
	if len(at) != 1 || len(rec.Schema().FieldIndices(ocsf.ColTime)) != 1 {
		return w.e.client.fail(hunt.Internal, false, "the batch must have the columns uid and time once each")
	}
	uid := rec.Column(at[0]).(*array.String)
	for i := range uid.Len() {
		if uid.IsNull(i) || uid.Value(i) == "" || !hunt.IsPlainText(uid.Value(i)) || len(uid.Value(i)) > longestID {
			return w.e.client.fail(hunt.Internal, false, fmt.Sprintf("row %d has no valid uid", i))
		}
	}
	return nil
}

// index returns the index of a stream and makes it.
func (w *writer) index(stream *hunt.Stream) (string, error) {
	w.streams[stream.Class.Name+"/"+stream.Name] = true
	m := metaOf(w.e.identity, stream)
	name, err := w.e.indexOf(m)
	if err != nil || w.indices[name] != "" {
		return name, err
	}
	body, err := indexTemplate(m, w.e.cfg.Shards)
	if err == nil {
		err = w.e.makeIndex(w.ctx, name, body)
	}
	if err == nil {
		w.indices[name] = name
	}
	return name, err
}

// cause is why the writer cannot go on.
func (w *writer) cause() error {
	var known *hunt.Error
	if errors.As(context.Cause(w.ctx), &known) {
		return known
	}
	return w.e.client.ended(w.ctx)
}

// Written implements hunt.SinkWriter.
func (w *writer) Written() (rows, duplicates int64) { return w.written.Load(), w.duplicates.Load() }

// Abort implements hunt.SinkWriter. Events that were written stay, and the inputs stay marked, because some of their events are there.
func (w *writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	w.cancel(context.Canceled)
	w.drain()
	if w.written.Load()+w.duplicates.Load() == 0 && w.rows == 0 {
		w.unmark()
	}
	w.leave()
}

// unmark takes back the marks of a commit that has written nothing.
func (w *writer) unmark() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), cleanUpTime)
	defer cancel()
	states, err := w.e.inputStates(ctx, w.digests())
	if err != nil {
		return // the inputs stay marked, which says too much but nothing wrong
	}
	var changes []inputChange
	for i, in := range w.inputs {
		// Of one that somebody else has begun some events may be there.
		if s := states[i]; s.Found && s.Doc.State == inputWriting && s.Doc.Writer == w.id && !w.began[i] {
			changes = append(changes, inputChange{inputDoc: inputDoc{Digest: in.Digest}, was: s, remove: true})
		}
	}
	_, _ = w.e.changeInputs(ctx, changes)
	w.e.forget()
}

// drain lets the workers write what they have, and waits for them.
func (w *writer) drain() {
	if !w.drained {
		w.drained = true
		close(w.tasks)
	}
	w.workers.Wait()
}

// leave frees what the writer holds.
func (w *writer) leave() {
	w.done = true
	w.stop()
	w.cancel(nil)
	w.e.forget()
	w.e.running.Done()
}

// Commit implements hunt.SinkWriter. Every event that was given is in the cluster, and can be found, before an input counts as ingested.
func (w *writer) Commit(counts ...hunt.Counts) error {
	if w.done {
		return w.e.client.fail(hunt.Internal, false, "the writer has ended")
	}
	if len(counts) != len(w.inputs) {
		return w.e.client.fail(hunt.Internal, false, fmt.Sprintf("counts of %d inputs were given, and there are %d", len(counts), len(w.inputs)))
	}
	w.drain()
	if w.ctx.Err() != nil {
		return w.cause()
	}
	if got := w.written.Load() + w.duplicates.Load(); got != w.rows {
		return w.e.client.fail(hunt.Internal, false, fmt.Sprintf("%d events were given and %d written", w.rows, got))
	}
	if err := w.refresh(); err != nil {
		return err
	}
	if err := w.finish(counts); err != nil {
		if errors.Is(err, hunt.ErrIngested) {
			w.leave()
		}
		return err
	}
	w.leave()
	return nil
}

// refresh makes the written events visible to searches.
func (w *writer) refresh() error {
	for names := range chunks(slices.Sorted(maps.Keys(w.indices)), urlBytes) {
		var out struct {
			Shards shards `json:"_shards"`
		}
		if err := w.e.client.get(w.ctx, esapi.IndicesRefreshRequest{Index: names}, &out); err != nil {
			return err
		}
		if out.Shards.Failed > 0 {
			return w.e.client.fail(hunt.SourceUnavailable, true, fmt.Sprintf("%d shards could not make the events visible; ingest the input again", out.Shards.Failed))
		}
	}
	return nil
}

// finish marks the inputs as ingested, all in one request, so that they are found done together. Those that somebody else changes at
// this moment are tried again.
func (w *writer) finish(counts []hunt.Counts) error {
	left := make([]int, len(w.inputs))
	for i := range left {
		left[i] = i
	}
	for len(left) > 0 {
		states, err := w.e.inputStates(w.ctx, pick(w.digests(), left))
		if err != nil {
			return err
		}
		var changes []inputChange
		for k, i := range left {
			if states[k].done() && states[k].Doc.Writer != w.id {
				return hunt.ErrIngested
			}
			changes = append(changes, inputChange{was: states[k], inputDoc: inputDoc{Name: w.inputs[i].Name, Digest: w.inputs[i].Digest, State: inputDone,
				Writer: w.id, Records: counts[i].Records, Rejected: counts[i].Rejected, Streams: slices.Sorted(maps.Keys(w.streams))}})
		}
		conflicts, err := w.e.changeInputs(w.ctx, changes)
		if err != nil {
			return err
		}
		left = pick(left, conflicts)
	}
	return nil
}

// bulk is a request under way.
type bulk struct {
	body []byte
	ends []int  // where each event ends in body
	tag  string // in the documents, which no other request has
	sent bool   // once already, and nobody knows what became of some events

	counted map[string]bool // heads of events that were counted as written before the last time that it was sent
}

// head is the line before an event, which names it.
func (b *bulk) head(i int) []byte {
	line, _, _ := bytes.Cut(b.body[b.from(i):b.ends[i]], []byte("\n"))
	return line
}

// next prepares for the next request.
func (w *writer) next(b *bulk) {
	b.body, b.ends, b.sent = b.body[:0], b.ends[:0], false
	b.counted = map[string]bool{}
	b.tag = fmt.Sprintf("%s-%d", w.id, w.requests.Add(1))
}

// from is where an event begins.
func (b *bulk) from(i int) int {
	if i == 0 {
		return 0
	}
	return b.ends[i-1]
}

// work writes tasks until there are no more.
func (w *writer) work() {
	var b bulk
	w.next(&b)
	for t := range w.tasks {
		if w.ctx.Err() != nil {
			continue // so that nobody waits for room
		}
		if err := w.encode(&b, t); err != nil {
			w.cancel(err)
		}
	}
	if err := w.send(&b); err != nil {
		w.cancel(err)
	}
}

// encode appends the events of a task and sends what makes a request.
func (w *writer) encode(b *bulk, t task) error {
	enc := newEncoder(t.class, t.rec.Schema())
	enc.bind(t.rec)
	uid := t.rec.Column(t.rec.Schema().FieldIndices(ocsf.ColUID)[0]).(*array.String)
	head := []byte(`{"create":{"_index":` + quote(t.index) + `,"_id":`)
	for i := range uid.Len() {
		b.body = append(appendQuoted(append(b.body, head...), uid.Value(i)), "}}\n"...)
		enc.writer = b.tag
		b.body = append(enc.append(b.body, i), '\n')
		b.ends = append(b.ends, len(b.body))
		if len(b.body) >= bulkBytes {
			if err := w.send(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// send writes a request, and what the cluster had no room for again and again, with pauses that grow.
func (w *writer) send(b *bulk) error {
	defer w.next(b)
	for try := 0; len(b.ends) > 0; try++ {
		if w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		err := w.post(b)
		b.sent = true
		if tooLarge(err) && len(b.ends) > 1 && refusalOf(err).status == http.StatusRequestEntityTooLarge {
			return w.halves(b)
		}
		if err == nil && len(b.ends) == 0 {
			return nil
		}
		if err == nil {
			err = w.e.client.fail(hunt.SourceThrottled, true, fmt.Sprintf("the cluster has no room for %d events; try again later", len(b.ends)))
		}
		known := hunt.AsError(err, hunt.SourceFailed)
		again := known.Code == hunt.SourceThrottled || known.Code == hunt.SourceUnavailable && known.Retryable
		if !again || try+1 >= bulkTries {
			return known
		}
		if err := w.pause(cmp.Or(known.RetryAfter, bulkPause<<try)); err != nil {
			return err
		}
	}
	return nil
}

// halves writes a request that is too large in two.
func (w *writer) halves(b *bulk) error {
	mid := len(b.ends) / 2
	cut := b.ends[mid-1]
	first := bulk{slices.Clone(b.body[:cut]), slices.Clone(b.ends[:mid]), b.tag, b.sent, b.counted}
	second := bulk{body: slices.Clone(b.body[cut:]), tag: b.tag, sent: b.sent, counted: b.counted}
	for _, end := range b.ends[mid:] {
		second.ends = append(second.ends, end-cut)
	}
	if err := w.send(&first); err != nil {
		return err
	}
	return w.send(&second)
}

func (w *writer) pause(d time.Duration) error {
	timer := time.NewTimer(min(d, bulkLongest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// post writes a request once and leaves in it the events that the cluster had no room for.
func (w *writer) post(b *bulk) error {
	req := esapi.BulkRequest{Body: bytes.NewReader(b.body), FilterPath: []string{"errors", "items.*.status", "items.*.error.type", "items.*.error.reason"}}
	a, err := w.e.client.do(w.ctx, req, nil)
	if err != nil {
		return err
	}
	var p fastjson.Parser
	v, err := p.ParseBytes(a.body)
	if err != nil {
		return w.e.client.fail(hunt.SourceDamaged, true, "the cluster's answer to _bulk is cut or damaged: "+shorten(err.Error()))
	}
	items := v.GetArray("items")
	if len(items) != len(b.ends) {
		return w.e.client.fail(hunt.SourceDamaged, true, fmt.Sprintf("the cluster answered for %d of %d events", len(items), len(b.ends)))
	}
	var left, known bulk
	var created []int
	for i, item := range items {
		event := b.body[b.from(i):b.ends[i]]
		switch status := item.GetInt("create", "status"); status {
		case http.StatusCreated:
			created = append(created, i)
		case http.StatusConflict:
			known.add(event)
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			left.add(event)
		default:
			return w.e.client.fail(hunt.SourceFailed, false, fmt.Sprintf("the cluster refused an event (HTTP %d): %s", status, shorten(strings.TrimSpace(
				string(item.GetStringBytes("create", "error", "type"))+": "+string(item.GetStringBytes("create", "error", "reason"))))))
		}
	}
	if b.sent || len(left.ends) > 0 {
		for _, i := range created {
			b.counted[string(b.head(i))] = true
		}
	}
	own := 0
	if b.sent && len(known.ends) > 0 {
		if own, err = w.own(b, &known); err != nil {
			return err
		}
	}
	w.written.Add(int64(len(created) + own))
	w.duplicates.Add(int64(len(known.ends) - own))
	b.body, b.ends = append(b.body[:0], left.body...), append(b.ends[:0], left.ends...)
	return nil
}

// add appends an event.
func (b *bulk) add(event []byte) {
	b.body = append(b.body, event...)
	b.ends = append(b.ends, len(b.body))
}

// own counts the events of a request that are there because it was sent before, and broke off after the cluster had taken them.
func (w *writer) own(b, known *bulk) (int, error) {
	var body bytes.Buffer
	body.WriteString(`{"docs":[`)
	for i := range known.ends {
		if i > 0 {
			body.WriteByte(',')
		}
		head := known.head(i)
		body.Write(head[len(`{"create":`) : len(head)-1])
	}
	body.WriteString("]}")
	a, err := w.e.client.do(w.ctx, esapi.MgetRequest{Body: &body, SourceIncludes: []string{writerField}}, nil)
	if err != nil {
		return 0, err
	}
	var p fastjson.Parser
	v, err := p.ParseBytes(a.body)
	docs := v.GetArray("docs")
	if err != nil || len(docs) != len(known.ends) {
		return 0, w.e.client.fail(hunt.SourceDamaged, true, "the cluster's answer to _mget is cut or damaged")
	}
	n := 0
	for i, doc := range docs {
		// An event may be in a request twice: then it is written once, and once a duplicate.
		head := string(known.head(i))
		if string(doc.GetStringBytes("_source", "harrier", "writer")) == b.tag && !b.counted[head] {
			b.counted[head] = true
			n++
		}
	}
	return n, nil
}
