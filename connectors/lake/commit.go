package lake

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/harrier-xdr/harrier/hunt"
)

// commit is one document of the commit log: one or several inputs, all of each. Files that no commit names do not exist for readers.
type commit struct {
	Number  int          `json:"commit"` // 1, 2, 3 ... without gaps
	Written string       `json:"written"`
	Inputs  []inputDoc   `json:"inputs"`
	Counts  countsDoc    `json:"counts"`
	Streams []streamDoc  `json:"streams"`
	Files   []parquetDoc `json:"files"`
}

// inputDoc is one input with what became of its records.
type inputDoc struct {
	hunt.Input
	Records  int64 `json:"records"`
	Rejected int64 `json:"rejected"` // records that could not be decoded
}

// rejectedReason is what a search says of the records that could not be decoded.
const rejectedReason = "could not be decoded when it was ingested"

// rejected lists the inputs with records that could not be decoded. They may have been of any stream of the commit. An older document
// counts them for all its inputs together.
func (c *commit) rejected() []hunt.Rejected {
	var out []hunt.Rejected
	rest := c.Counts.Rejected
	for _, in := range c.Inputs {
		if rest -= in.Rejected; in.Rejected > 0 {
			out = append(out, hunt.Rejected{Part: in.Name, Count: in.Rejected, Reason: rejectedReason})
		}
	}
	if rest > 0 {
		out = append(out, hunt.Rejected{Part: fmt.Sprintf("the inputs of commit %d", c.Number), Count: rest, Reason: rejectedReason})
	}
	return out
}

// has says whether a stream has rows of the commit's inputs.
func (c *commit) has(stream, class string) bool {
	return slices.ContainsFunc(c.Streams, func(d streamDoc) bool { return d.Name == stream && d.Class == class })
}

// countsDoc says what became of the records of all inputs of a commit.
type countsDoc struct {
	Records    int64 `json:"records"`    // records in the inputs
	Rows       int64 `json:"rows"`       // rows in the files
	Duplicates int64 `json:"duplicates"` // rows left out, because their event was there already
	Rejected   int64 `json:"rejected"`   // records that could not be decoded
	Untimed    int64 `json:"untimed"`    // rows without a time
}

// streamDoc keeps what a mapping says about one stream, so that Describe needs no mapping.
type streamDoc struct {
	Name       string                `json:"name"`
	Class      string                `json:"class"`
	Attributes []string              `json:"attributes"`
	Closed     map[string][]valueDoc `json:"closed,omitempty"`
	Duplicates int64                 `json:"duplicates"`
}

// valueDoc is a hunt.Value as text.
type valueDoc struct {
	Kind hunt.Kind `json:"kind"`
	Text string    `json:"text"`
}

// parquetDoc describes one Parquet file. Times are microseconds since 1970, UTC; both are null if the events have no time.
type parquetDoc struct {
	Path    string `json:"path"` // below the connection's folder, with slashes
	Stream  string `json:"stream"`
	Class   string `json:"class"`
	Day     string `json:"day"`
	Schema  string `json:"schema"` // fingerprint of the Arrow schema
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	MinTime *int64 `json:"minTime"`
	MaxTime *int64 `json:"maxTime"`
	Escaped bool   `json:"escaped,omitempty"` // some text had bytes that are no UTF-8; see hunt.EscapeText
}

func valueToDoc(v hunt.Value) valueDoc {
	d := valueDoc{Kind: v.Kind()}
	switch v.Kind() {
	case hunt.StringKind:
		d.Text = hunt.EscapeText(v.Str())
	case hunt.FloatKind:
		d.Text = strconv.FormatFloat(v.Flt(), 'g', -1, 64)
	case hunt.IPKind:
		ip := v.Addr16()
		d.Text = hex.EncodeToString(ip[:])
	default:
		d.Text = strconv.FormatInt(v.Num(), 10)
	}
	return d
}

func (d valueDoc) value() (hunt.Value, bool) {
	if d.Kind == hunt.StringKind {
		return hunt.String(hunt.UnescapeText(d.Text)), true
	}
	if d.Kind == hunt.FloatKind {
		f, err := strconv.ParseFloat(d.Text, 64)
		return hunt.Float(f), err == nil
	}
	if d.Kind == hunt.IPKind {
		ip, err := hex.DecodeString(d.Text)
		if err != nil || len(ip) != 16 {
			return hunt.Value{}, false
		}
		return hunt.IPFrom16([16]byte(ip)), true
	}
	n, err := strconv.ParseInt(d.Text, 10, 64)
	switch {
	case err != nil:
		return hunt.Value{}, false
	case d.Kind == hunt.BoolKind:
		return hunt.Bool(n == 1), true
	case d.Kind == hunt.TimeKind:
		return hunt.Time(n), true
	case d.Kind == hunt.IntKind:
		return hunt.Int(n), true
	}
	return hunt.Value{}, false
}

// commitLog reads and extends the commit log of one connection. Commits never change, so they are parsed once.
type commitLog struct {
	dir string

	mu      sync.Mutex // guards commits and digests
	commits []commit
	digests map[string]int
}

// list returns all commits that are there now. The slice is only ever extended.
func (l *commitLog) list() ([]commit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		c, err := l.read(len(l.commits) + 1)
		if errors.Is(err, fs.ErrNotExist) {
			return l.commits[:len(l.commits):len(l.commits)], nil
		}
		if err != nil {
			return nil, err
		}
		l.commits = append(l.commits, *c)
		for _, in := range c.Inputs {
			l.digests[in.Digest] = c.Number
		}
	}
}

// loaded returns the commits that list has read so far.
func (l *commitLog) loaded() []commit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.commits[:len(l.commits):len(l.commits)]
}

// has returns the number of the commit that holds the input, as far as list has read; 0 if none.
func (l *commitLog) has(digest string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.digests[digest]
}

func (l *commitLog) read(number int) (*commit, error) {
	name := commitName(number)
	text, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		return nil, err
	}
	c := &commit{}
	if err := json.Unmarshal(text, c); err != nil || c.Number != number {
		return nil, &hunt.Error{Op: "lake: read commit log", Source: commitsDir + "/" + name, Code: hunt.SourceDamaged, Cause: err,
			Message: "the document is damaged; restore it from a copy, or ingest this connection anew into an empty folder"}
	}
	return c, nil
}

// publish writes a commit under its number. It returns an error that is fs.ErrExist if another writer was faster.
func (l *commitLog) publish(c *commit, writer string) error {
	text, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	temp := filepath.Join(l.dir, "."+writer+".tmp")
	if err := writeDurably(temp, text); err != nil {
		return err
	}
	defer os.Remove(temp)
	// A hard link appears whole or not at all, and fails if the number is taken.
	if err := os.Link(temp, filepath.Join(l.dir, commitName(c.Number))); err != nil {
		return err
	}
	return syncDir(l.dir)
}

func writeDurably(path string, text []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
