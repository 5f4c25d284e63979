package elastic

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/harrier-xdr/harrier/hunt"
)

// The states of an input.
const (
	inputWriting = "WRITING" // its events are being written, or were when the writer ended
	inputDone    = "DONE"
)

// inputDoc is the document of one input. Its id is the digest.
type inputDoc struct {
	Name     string   `json:"name"`
	Digest   string   `json:"digest"`
	State    string   `json:"state"`
	Writer   string   `json:"writer"`            // of the commit that wrote it last
	Records  int64    `json:"records"`           // in the input
	Rejected int64    `json:"rejected"`          // of them that could not be decoded
	Streams  []string `json:"streams,omitempty"` // class/name of the streams that the commit has events of
}

// base is the beginning of the names of the connection's indices. Connections of other tenants have others, whatever their names are.
func (e *Elastic) base() string {
	return e.cfg.Prefix + "-" + plainName(e.identity.Tenant) + "-" + plainName(e.identity.Connection)
}

// plainName writes a name with lower-case letters, digits and '_' alone, each name in its own way.
func plainName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	if b.Len() > 60 {
		sum := sha256.Sum256([]byte(name))
		return b.String()[:27] + "_" + hex.EncodeToString(sum[:16])
	}
	return b.String()
}

func (e *Elastic) inputsIndex() string { return e.base() + "-inputs" }

// inputID is the id of an input's document: digests may be longer than ids.
func inputID(digest string) string {
	sum := sha256.Sum256([]byte(digest))
	return hex.EncodeToString(sum[:])
}

// inputState is the document of an input as it is in the cluster.
type inputState struct {
	Found bool `json:"found"`
	// Seq and Term say which version of the document that is, so that nobody else's change is overwritten.
	Seq  int      `json:"_seq_no"`
	Term int      `json:"_primary_term"`
	Doc  inputDoc `json:"_source"`
}

// done says whether the input was ingested.
func (s *inputState) done() bool { return s.Found && s.Doc.State == inputDone }

// inputStates returns the documents of inputs, as they are now.
func (e *Elastic) inputStates(ctx context.Context, digests []string) ([]inputState, error) {
	if len(digests) == 0 {
		return nil, nil
	}
	ids := make([]string, len(digests))
	for i, d := range digests {
		ids[i] = inputID(d)
	}
	body, err := json.Marshal(map[string]any{"ids": ids})
	if err != nil {
		return nil, e.client.fail(hunt.Internal, false, err.Error())
	}
	var got struct {
		Docs []struct {
			inputState
			Error *cause `json:"error"`
		} `json:"docs"`
	}
	if err := e.client.get(ctx, esapi.MgetRequest{Index: e.inputsIndex(), Body: bytes.NewReader(body)}, &got); err != nil {
		return nil, err
	}
	if len(got.Docs) != len(ids) {
		return nil, e.client.fail(hunt.SourceDamaged, true, fmt.Sprintf("the cluster answered for %d of %d inputs", len(got.Docs), len(ids)))
	}
	out := make([]inputState, len(ids))
	for i, d := range got.Docs {
		if d.Error != nil && d.Error.Type != "index_not_found_exception" {
			return nil, e.client.fail(hunt.SourceUnavailable, true, "the index "+e.inputsIndex()+", which says what was ingested, does not answer: "+
				shorten(d.Error.Type+": "+d.Error.Reason))
		}
		out[i] = d.inputState
	}
	return out, nil
}

// inputChange is what becomes of an input's document.
type inputChange struct {
	inputDoc
	was    inputState // what it replaces
	remove bool
}

// changeInputs writes or deletes documents of inputs in one request, and makes that visible at once. It returns which of them somebody
// else has changed meanwhile; these stay as they are.
func (e *Elastic) changeInputs(ctx context.Context, changes []inputChange) (conflicts []int, err error) {
	if len(changes) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	for _, c := range changes {
		switch {
		case c.remove:
			fmt.Fprintf(&b, `{"delete":{"_id":%q,"if_seq_no":%d,"if_primary_term":%d}}`+"\n", inputID(c.Digest), c.was.Seq, c.was.Term)
			continue
		case c.was.Found:
			fmt.Fprintf(&b, `{"index":{"_id":%q,"if_seq_no":%d,"if_primary_term":%d}}`+"\n", inputID(c.Digest), c.was.Seq, c.was.Term)
		default:
			fmt.Fprintf(&b, `{"create":{"_id":%q}}`+"\n", inputID(c.Digest))
		}
		doc, err := json.Marshal(c.inputDoc)
		if err != nil {
			return nil, e.client.fail(hunt.Internal, false, err.Error())
		}
		b.Write(append(doc, '\n'))
	}
	var got struct {
		Items []map[string]struct {
			Status int    `json:"status"`
			Error  *cause `json:"error"`
		} `json:"items"`
	}
	if err := e.client.get(ctx, esapi.BulkRequest{Index: e.inputsIndex(), Body: &b, Refresh: "true"}, &got); err != nil {
		return nil, err
	}
	if len(got.Items) != len(changes) {
		return nil, e.client.fail(hunt.SourceDamaged, true, fmt.Sprintf("the cluster answered for %d of %d inputs", len(got.Items), len(changes)))
	}
	for i, item := range got.Items {
		for _, r := range item { // there is one
			switch {
			case r.Status == http.StatusConflict:
				conflicts = append(conflicts, i)
			case r.Error != nil:
				return nil, e.client.fail(hunt.SourceUnavailable, true, "the index "+e.inputsIndex()+", which says what was ingested, refuses a document: "+
					shorten(r.Error.Type+": "+r.Error.Reason))
			}
		}
	}
	return conflicts, nil
}

// openInputs lists the inputs that make the connection's events incomplete: those that are being written, and those with records that
// could not be decoded.
func (e *Elastic) openInputs(ctx context.Context) ([]inputDoc, error) {
	const most = 1000
	body := fmt.Sprintf(`{"size":%d,"track_total_hits":true,"sort":[{"name":"asc"}],"query":{"bool":{"should":[{"term":{"state":"%s"}},{"range":{"rejected":{"gt":0}}}]}}}`, most, inputWriting)
	yes := true
	a, err := e.client.do(ctx, esapi.SearchRequest{Index: []string{e.inputsIndex()}, Body: strings.NewReader(body), IgnoreUnavailable: &yes, AllowNoIndices: &yes}, nil)
	if err != nil {
		return nil, err
	}
	env, err := scan(a.body)
	if err != nil {
		return nil, e.client.fail(hunt.SourceDamaged, true, err.Error())
	}
	if env.Shards.Successful < env.Shards.Total {
		return nil, e.client.fail(hunt.SourceUnavailable, true, "the index "+e.inputsIndex()+", which says what was ingested, does not answer; see _cat/shards")
	}
	var out []inputDoc
	for _, h := range env.hits {
		var doc inputDoc
		if err := json.Unmarshal(h.source, &doc); err != nil {
			return nil, e.client.fail(hunt.SourceDamaged, false, fmt.Sprintf("the document %s of %s is damaged: %v", h.id, e.inputsIndex(), err))
		}
		out = append(out, doc)
	}
	if more := env.total.Value - int64(len(out)); more > 0 {
		out = append(out, inputDoc{Name: fmt.Sprintf("%d more inputs", more), State: inputWriting})
	}
	return out, nil
}

// has says whether an input may have records of a stream. An input that is being written may have any.
func (d *inputDoc) has(s *hunt.Stream) bool {
	return d.State == inputWriting || slices.Contains(d.Streams, s.Class.Name+"/"+s.Name)
}

// doubt says in the description which inputs make it incomplete. A stream that may lack records has no range: those may be of any time,
// so that a hunt must ask the stream to hear of them.
func (e *Elastic) doubt(st *state) {
	var rejected int64
	var writing []string
	for i := range st.inputs {
		in := &st.inputs[i]
		rejected += in.Rejected
		if in.State == inputWriting {
			writing = append(writing, in.Name)
		}
		for k := range st.sources {
			if s := &st.sources[k].stream; in.has(s) {
				s.Time = nil
			}
		}
	}
	var why []string
	if len(writing) > 0 {
		why = append(why, "inputs are being ingested, or their ingest broke off, so that not all of their events are there; ingest them again: "+some(writing))
	}
	if rejected > 0 {
		why = append(why, fmt.Sprintf("%d records could not be decoded when they were ingested; they are not searched", rejected))
	}
	d := st.description
	d.Notes = append(d.Notes, why...)
	if d.Unread == "" {
		d.Unread = strings.Join(why, "; ")
	}
}

// inputGaps are the frames that say what a stream may lack because of its inputs.
func (e *Elastic) inputGaps(st *state, stream *hunt.Stream) []hunt.Frame {
	var out []hunt.Frame
	for i := range st.inputs {
		in := &st.inputs[i]
		switch {
		case !in.has(stream):
		case in.State == inputWriting:
			err := e.client.fail(hunt.SourceChanged, true, "the input is being ingested, or its ingest broke off; ingest it again: "+in.Name)
			err.Source = in.Name
			out = append(out, hunt.PartFailed{Part: in.Name, Err: err})
		default:
			out = append(out, hunt.Rejected{Part: in.Name, Count: in.Rejected, Reason: "they could not be decoded when the input was ingested"})
		}
	}
	return out
}
