package graph

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// signer makes and opens cursors. A cursor names a row of one hunt of one principal: everything that decides the answer is in its
// signature, so a cursor of another hunt, of somebody else, or one that was changed is refused.
type signer struct{ key []byte }

// cursor is what a cursor carries. The range is absolute, so that `last` means the same time on every page; the snapshots keep
// later pages on the events that the first page saw.
type cursor struct {
	Range     hunt.TimeRange    `json:"r"`
	Key       hunt.Key          `json:"k"`
	Rows      int64             `json:"n"` // rows up to and including this one
	Snapshots map[string]string `json:"s,omitempty"`
	Gaps      bool              `json:"g,omitempty"` // a page before was not complete, so nobody knows how many rows there are
}

// identity is everything that decides an answer but the place in it: two requests with equal identities are the same hunt.
type identity struct {
	Field       string
	Principal   string
	Tenants     []string
	Connections []string
	Class       int64
	TimeRange   map[string]any
	Where       map[string]any
	Order       string
}

func (s signer) mac(id *identity, body []byte) []byte {
	fixed, _ := json.Marshal(id) // maps are written with sorted keys
	m := hmac.New(sha256.New, s.key)
	m.Write(fixed)
	m.Write([]byte{0})
	m.Write(body)
	return m.Sum(nil)[:16]
}

func encoding() *base64.Encoding { return base64.RawURLEncoding.Strict() }

// decode is strict: no two texts decode to the same bytes. Package base64 alone skips line breaks.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, base64.CorruptInputError(strings.IndexAny(text, "\r\n"))
	}
	return encoding().DecodeString(text)
}

// seal writes a cursor as opaque text.
func (s signer) seal(id *identity, c *cursor) string {
	body, _ := json.Marshal(c)
	return encoding().EncodeToString(append(s.mac(id, body), body...))
}

// open reads a cursor of this hunt.
func (s signer) open(id *identity, text string) (*cursor, error) {
	raw, err := decode(text)
	if err != nil || len(raw) < 16 || !hmac.Equal(raw[:16], s.mac(id, raw[16:])) {
		return nil, &hunt.Error{Code: hunt.BadCursor, Path: "after", Message: "the cursor is not one of this hunt; cursors continue the same field, filter, range, order, tenants and connections for the same principal"}
	}
	c := &cursor{}
	if err := json.Unmarshal(raw[16:], c); err != nil {
		return nil, &hunt.Error{Code: hunt.BadCursor, Path: "after", Message: "the cursor is of another version of the service; start the hunt anew", Cause: err}
	}
	return c, nil
}

// snapshots converts between the references of a plan and the text of a cursor.
func snapshotText(in map[hunt.ConnectionRef]string) map[string]string {
	out := map[string]string{}
	for ref, s := range in {
		key, _ := json.Marshal([]string{ref.Tenant, ref.Connection})
		out[string(key)] = s
	}
	return out
}

func snapshotRefs(in map[string]string) map[hunt.ConnectionRef]string {
	out := map[hunt.ConnectionRef]string{}
	for key, s := range in {
		var ref []string
		if json.Unmarshal([]byte(key), &ref) == nil && len(ref) == 2 {
			out[hunt.ConnectionRef{Tenant: ref[0], Connection: ref[1]}] = s
		}
	}
	return out
}

// eventID makes the global id of an event. It is opaque but not secret: what it names is looked up within the caller's tenants.
func eventID(class *ocsf.Class, k hunt.Key) string {
	body, _ := json.Marshal([]any{"event", class.UID, k.Tenant, k.Connection, k.Time, k.UID})
	return encoding().EncodeToString(body)
}

// parseEventID reads what eventID wrote.
func parseEventID(id string) (class *ocsf.Class, k hunt.Key, ok bool) {
	raw, err := decode(id)
	if err != nil {
		return nil, k, false
	}
	var kind string
	var uid int64
	parts := []any{&kind, &uid, &k.Tenant, &k.Connection, &k.Time, &k.UID}
	if json.Unmarshal(raw, &parts) != nil || len(parts) != 6 || kind != "event" {
		return nil, k, false
	}
	class = ocsf.ByUID(uid)
	return class, k, class != nil
}
