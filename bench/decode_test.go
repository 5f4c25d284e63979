package bench_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/minio/simdjson-go"
	"github.com/valyala/fastjson"
)

// event is what all readers in Go make of a document.
type event struct {
	UID     string
	Host    string
	Name    string
	CmdLine string
	User    string
	Parent  string
	Time    int64 // microseconds since 1970
	PID     int64
}

// The fields of event, in the order of readColumns.
const (
	uidField = iota
	timeField
	hostField
	nameField
	pidField
	cmdLineField
	userField
	parentField
	noField = -1
)

// readColumns are the columns that are read.
func readColumns() []string {
	return []string{"uid", "time", "device.hostname", "process.name", "process.pid", "process.cmd_line", "process.user.name", "process.parent_process.name"}
}

// text is where the text of a field goes.
func (e *event) text(field int) *string {
	switch field {
	case uidField:
		return &e.UID
	case hostField:
		return &e.Host
	case nameField:
		return &e.Name
	case cmdLineField:
		return &e.CmdLine
	case userField:
		return &e.User
	}
	return &e.Parent
}

// setText sets a field; a time that is text is one of GraphQL.
func (e *event) setText(field int, value []byte) error {
	if field == timeField {
		at, err := time.Parse(time.RFC3339Nano, string(value))
		e.Time = at.UnixMicro()
		return err
	}
	*e.text(field) = string(value)
	return nil
}

func (e *event) setNumber(field int, value int64) {
	if field == timeField {
		e.Time = value
	} else {
		e.PID = value
	}
}

// sameEvents compares events by uid; it sorts got.
func sameEvents(got, want []event) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d events, wanted %d", len(got), len(want))
	}
	byUID := func(a, b event) int { return strings.Compare(a.UID, b.UID) }
	slices.SortFunc(got, byUID)
	want = slices.SortedFunc(slices.Values(want), byUID)
	for i := range got {
		if got[i] != want[i] {
			return fmt.Errorf("an event is %+v, wanted %+v", got[i], want[i])
		}
	}
	return nil
}

// place is an object, or the place of a field.
type place struct {
	keys  []string
	kids  []*place
	field int
}

func (p *place) find(key []byte) *place {
	for i, k := range p.keys {
		if k == string(key) {
			return p.kids[i]
		}
	}
	return nil
}

// add puts a field at a path.
func (p *place) add(field int, path ...string) *place {
	at := p
	for _, key := range path {
		kid := at.find([]byte(key))
		if kid == nil {
			kid = &place{field: noField}
			at.keys, at.kids = append(at.keys, key), append(at.kids, kid)
		}
		at = kid
	}
	at.field = field
	return p
}

// nestedPlaces is a document.
func nestedPlaces() *place {
	p := &place{field: noField}
	for i, c := range readColumns() {
		p.add(i, strings.Split(c, ".")...)
	}
	return p
}

// flatPlaces is the values of a document by column.
func flatPlaces() *place {
	p := &place{field: noField}
	for i, c := range readColumns() {
		p.add(i, c)
	}
	return p
}

// graphPlaces is an event of GraphQL; readLeaves asks for it.
func graphPlaces() *place {
	p := &place{field: noField}
	return p.add(uidField, "uid").add(timeField, "time").add(hostField, "device", "hostname").add(nameField, "process", "name").add(pidField, "process", "pid").
		add(cmdLineField, "process", "cmdLine").add(userField, "process", "user", "name").add(parentField, "process", "parentProcess", "name")
}

const readLeaves = "uid time device { hostname } process { name pid cmdLine user { name } parentProcess { name } }"

// shape says where an answer has its events.
type shape struct {
	list  []string // path of the array
	inner string   // what an element holds the event in, "" if it is the event
	root  *place
}

// page is what one answer gave; events has those that were there before, too.
type page struct {
	events      []event
	sort        int64 // of the last hit
	pit, scroll string
}

// reader decodes one answer after the other and appends to events. It belongs to one goroutine.
type reader func(body []byte, events []event) (page, error)

// library is a way to decode JSON.
type library interface {
	name() string
	reader(shape) reader
}

// libraries lists what the module depends on and what runs here, the one that is usually the fastest first.
func libraries() []library {
	if simdjson.SupportedCPU() {
		return []library{simd{}, fast{}}
	}
	return []library{fast{}}
}

var errShape = errors.New("the answer has another form")

type fast struct{}

func (fast) name() string { return "fastjson" }

func (fast) reader(s shape) reader {
	var parser fastjson.Parser
	return func(body []byte, events []event) (page, error) {
		v, err := parser.ParseBytes(body)
		if err != nil {
			return page{}, err
		}
		out := page{events: events, pit: string(v.GetStringBytes("pit_id")), scroll: string(v.GetStringBytes("_scroll_id"))}
		for _, hit := range v.GetArray(s.list...) {
			out.sort = hit.GetInt64("sort", "0")
			if s.inner != "" {
				hit = hit.Get(s.inner)
			}
			o, err := hit.Object()
			if err != nil {
				return out, err
			}
			out.events = append(out.events, event{})
			if err := s.root.fast(o, &out.events[len(out.events)-1]); err != nil {
				return out, err
			}
		}
		return out, nil
	}
}

func (p *place) fast(o *fastjson.Object, into *event) (fail error) {
	o.Visit(func(key []byte, v *fastjson.Value) {
		kid := p.find(key)
		if kid == nil {
			return
		}
		if v.Type() == fastjson.TypeArray {
			v = v.Get("0")
		}
		var err error
		switch v.Type() {
		case fastjson.TypeObject:
			err = kid.fast(v.GetObject(), into)
		case fastjson.TypeString:
			err = into.setText(kid.field, v.GetStringBytes())
		case fastjson.TypeNumber:
			into.setNumber(kid.field, v.GetInt64())
		}
		fail = cmp.Or(fail, err)
	})
	return fail
}

type simd struct{}

func (simd) name() string { return "simdjson" }

func (simd) reader(s shape) reader {
	var parsed *simdjson.ParsedJson
	return func(body []byte, events []event) (page, error) {
		var err error
		if parsed, err = simdjson.Parse(body, parsed, simdjson.WithCopyStrings(false)); err != nil {
			return page{}, err
		}
		out := page{events: events}
		top := parsed.Iter()
		if e, err := top.FindElement(nil, "pit_id"); err == nil {
			out.pit, _ = e.Iter.String()
		}
		if e, err := top.FindElement(nil, "_scroll_id"); err == nil {
			out.scroll, _ = e.Iter.String()
		}
		list, err := top.FindElement(nil, s.list...)
		if err != nil {
			return out, errShape
		}
		hits, err := list.Iter.Array(nil)
		if err != nil {
			return out, err
		}
		var object simdjson.Object
		hits.ForEach(func(hit simdjson.Iter) {
			o, next := hit.Object(&object)
			if next == nil {
				out.events = append(out.events, event{})
				next = s.hit(o, &out.events[len(out.events)-1], &out.sort)
			}
			err = cmp.Or(err, next)
		})
		return out, err
	}
}

// hit takes one element of the list.
func (s *shape) hit(o *simdjson.Object, into *event, sort *int64) error {
	if s.inner == "" {
		return s.root.simd(o, into)
	}
	var value simdjson.Iter
	for {
		key, kind, err := o.NextElementBytes(&value)
		if err != nil || kind == simdjson.TypeNone {
			return err
		}
		switch string(key) {
		case s.inner:
			var inner simdjson.Object
			if _, err := value.Object(&inner); err != nil {
				return err
			}
			if err := s.root.simd(&inner, into); err != nil {
				return err
			}
		case "sort":
			if kind, value = firstOf(kind, value); kind == simdjson.TypeInt {
				*sort, _ = value.Int()
			}
		}
	}
}

// firstOf is the first element of an array, and anything else itself.
func firstOf(kind simdjson.Type, value simdjson.Iter) (simdjson.Type, simdjson.Iter) {
	if kind != simdjson.TypeArray {
		return kind, value
	}
	list, err := value.Array(nil)
	if err != nil {
		return simdjson.TypeNone, value
	}
	first := list.Iter()
	return first.Advance(), first
}

func (p *place) simd(o *simdjson.Object, into *event) error {
	var value simdjson.Iter
	for {
		key, kind, err := o.NextElementBytes(&value)
		if err != nil || kind == simdjson.TypeNone {
			return err
		}
		kid := p.find(key)
		if kid == nil {
			continue
		}
		if err := kid.take(kind, value, into); err != nil {
			return err
		}
	}
}

// take takes a value, or the first of an array.
func (p *place) take(kind simdjson.Type, value simdjson.Iter, into *event) error {
	switch kind, value = firstOf(kind, value); kind {
	case simdjson.TypeObject:
		var inner simdjson.Object
		if _, err := value.Object(&inner); err != nil {
			return err
		}
		return p.simd(&inner, into)
	case simdjson.TypeString:
		text, err := value.StringBytes()
		if err != nil {
			return err
		}
		return into.setText(p.field, text)
	case simdjson.TypeInt, simdjson.TypeUint:
		n, err := value.Int()
		into.setNumber(p.field, n)
		return err
	}
	return nil
}
