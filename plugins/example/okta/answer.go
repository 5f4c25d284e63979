package okta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// event is one LogEvent of a page.
type event struct {
	us  int64 // published, microseconds
	uid string
	raw []byte // as Okta wrote it; it belongs to the page
}

// page is the events of an answer and what could not be read of it.
type page struct {
	events   []event
	rejected hunt.Rejected // Count 0 if every element was an event
	damage   *hunt.Error   // the answer breaks off after these events, nil if it is whole
}

// parsePage reads the JSON array of an answer. Bytes that follow an error are not guessed at: the events before it are kept and the
// rest is damage. An element that is no LogEvent is rejected alone, with its place.
func parsePage(body []byte, id hunt.Identity) page {
	p := page{}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		p.damage = hunt.Errorf(hunt.SourceDamaged, "the answer is no JSON array of events")
		return p
	}
	var parser fastjson.Parser
	for d.More() {
		at := d.InputOffset()
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			p.damage = broken(d.InputOffset(), err)
			return p
		}
		e, reason := readEvent(&parser, raw, id)
		if reason != "" {
			p.reject(at, reason)
			continue
		}
		p.events = append(p.events, e)
	}
	if _, err := d.Token(); err != nil {
		p.damage = broken(d.InputOffset(), err)
	}
	return p
}

// broken says where an answer breaks off. The parser's own words are not repeated, because they may quote data.
func broken(offset int64, err error) *hunt.Error {
	what := "is no JSON"
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		what = "breaks off"
	}
	return hunt.Errorf(hunt.SourceDamaged, "the answer %s at byte %d; the events after it were not searched", what, offset)
}

func (p *page) reject(offset int64, reason string) {
	if p.rejected.Count++; p.rejected.Count == 1 {
		p.rejected.Offset, p.rejected.Reason = offset, reason
	}
}

// readEvent reads what makes an event's place: its time and its uid. The uid is made of the event's own uuid, which Okta never gives
// twice; an event without one is known by its text.
func readEvent(parser *fastjson.Parser, raw []byte, id hunt.Identity) (event, string) {
	v, err := parser.ParseBytes(raw)
	if err != nil || v.Type() != fastjson.TypeObject {
		return event{}, "it is no JSON object"
	}
	us, ok := mapping.ParseTime(v.GetStringBytes("published"))
	if !ok {
		return event{}, "published is no time"
	}
	switch strings.TrimSpace(string(v.GetStringBytes(eventType))) {
	case "", "-", "(empty)": // as the mapping reads absent
		return event{}, "it has no eventType"
	}
	own := v.GetStringBytes("uuid")
	if len(own) == 0 {
		own = raw
	}
	return event{us: us, uid: mapping.UID(id, own), raw: raw}, ""
}

// problem is how Okta says what is wrong: {"errorCode": "E0000047", "errorSummary": "..."}.
type problem struct {
	Code    string `json:"errorCode"`
	Summary string `json:"errorSummary"`
}

// problemIn writes the code and the words of an error for people, in one line of at most 300 bytes.
func problemIn(body []byte, status int) string {
	var p problem
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		return fmt.Sprintf("HTTP status %d", status)
	}
	const most = 300
	text := p.Code + " " + p.Summary
	if len(text) > most {
		text = text[:most] + " (cut)"
	}
	clean := []rune{}
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		clean = append(clean, r)
	}
	return string(clean)
}
