package elastic

import (
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

// inputState returns the document of an input, nil if there is none, with the numbers that say which version of it that is.
func (e *Elastic) input(ctx context.Context, digest string) (doc *inputDoc, version docVersion, err error) {
	var got struct {
		Found bool `json:"found"`
		docVersion
		Source inputDoc `json:"_source"`
	}
	a, err := e.client.do(ctx, esapi.GetRequest{Index: e.inputsIndex(), DocumentID: inputID(digest)}, nil)
	if a != nil && a.status == http.StatusNotFound {
		return nil, docVersion{}, nil
	}
	if err == nil {
		err = e.client.decode(a, &got)
	}
	if err != nil || !got.Found {
		return nil, docVersion{}, err
	}
	return &got.Source, got.docVersion, nil
}

// docVersion says which version of a document was read, so that nobody else's change is overwritten.
type docVersion struct {
	Seq  int `json:"_seq_no"`
	Term int `json:"_primary_term"`
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
