package elastic

import (
	"encoding/json"
	"errors"

	"github.com/minio/simdjson-go"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

var errNoHits = errors.New("the answer has no documents where they belong")

// parseSIMD parses the whole answer, documents included.
func (d *documentDecoder) parseSIMD(body []byte) (*envelope, error) {
	var err error
	// Texts that need no unescaping stay in body.
	if d.simd, err = simdjson.Parse(body, d.simd, simdjson.WithCopyStrings(false)); err != nil {
		d.simd = nil
		return nil, err
	}
	iter := d.simd.Iter()
	iter.Advance()
	_, root, err := iter.Root(nil)
	if err != nil {
		return nil, err
	}
	top, err := root.Object(nil)
	if err != nil {
		return nil, err
	}
	e := &envelope{}
	var value simdjson.Iter
	for {
		key, kind, err := top.NextElementBytes(&value)
		if err != nil {
			return nil, err
		}
		if kind == simdjson.TypeNone {
			break
		}
		if err := d.topSIMD(e, key, &value); err != nil {
			return nil, err
		}
	}
	if e.Shards == nil || d.docs == nil && e.count > 0 {
		return nil, errNoHits
	}
	return e, nil
}

func (d *documentDecoder) topSIMD(e *envelope, key []byte, value *simdjson.Iter) error {
	switch string(key) {
	case "hits":
		return d.hitsSIMD(e, value)
	case "pit_id", "timed_out", "terminated_early", "_shards", "aggregations":
		text, err := value.MarshalJSON()
		if err != nil {
			return err
		}
		return e.field(key, text)
	}
	return nil
}

func (d *documentDecoder) hitsSIMD(e *envelope, value *simdjson.Iter) error {
	object, err := value.Object(nil)
	if err != nil {
		return err
	}
	var field simdjson.Iter
	for {
		key, kind, err := object.NextElementBytes(&field)
		if err != nil || kind == simdjson.TypeNone {
			return err
		}
		switch string(key) {
		case "total":
			text, err := field.MarshalJSON()
			if err == nil {
				err = json.Unmarshal(text, &e.total)
			}
			if err != nil {
				return err
			}
		case "hits":
			if d.docs, err = field.Array(nil); err != nil {
				return err
			}
			d.docs.ForEach(func(simdjson.Iter) { e.count++ })
		}
	}
}

// decodeSIMD appends the documents.
func (d *documentDecoder) decodeSIMD(e *envelope) {
	var object, source simdjson.Object
	var field simdjson.Iter
	d.docs.ForEach(func(hit simdjson.Iter) {
		d.begin()
		var index, id []byte
		found := false
		o, err := hit.Object(&object)
		for err == nil {
			key, kind, next := o.NextElementBytes(&field)
			if next != nil || kind == simdjson.TypeNone {
				err = next
				break
			}
			switch string(key) {
			case "_index":
				index, err = field.StringBytes()
			case "_id":
				id, err = field.StringBytes()
			case "sort":
				e.last = lastSIMD(&field)
			case "_source":
				var s *simdjson.Object
				if s, err = field.Object(&source); err == nil {
					found = true
					err = d.walkSIMD(s, d.root, d.row)
				}
			}
		}
		if err != nil { // the cursor goes on behind it
			if sort, err := hit.FindElement(nil, "sort"); err == nil {
				e.last = lastSIMD(&sort.Iter)
			}
		}
		if err != nil || !found {
			d.rejected.add(index, id, "its _source is no JSON object")
			return
		}
		d.end(index, id)
	})
}

// lastSIMD is the first sort value of a hit.
func lastSIMD(i *simdjson.Iter) int64 {
	values, err := i.Array(nil)
	if err != nil {
		return 0
	}
	first := values.Iter()
	first.Advance()
	n, _ := first.Int() // only searches that sort by time look at it
	return n
}

// walkSIMD takes what is read out of an object.
func (d *documentDecoder) walkSIMD(o *simdjson.Object, b *branch, into []cell) error {
	var value simdjson.Iter
	for {
		key, kind, err := o.NextElementBytes(&value)
		if err != nil || kind == simdjson.TypeNone {
			return err
		}
		kid := b.find(key)
		if kid == nil || kind == simdjson.TypeNull {
			continue
		}
		switch {
		case kid.list != nil:
			err = d.listSIMD(&value, kid.list, into)
		case kid.leaf != nil && kid.leaf.kind == ocsf.JSON:
			d.jsonSIMD(kid.leaf, into, &value, kind)
		case kid.leaf != nil:
			d.store(kid.leaf, into, d.simdValue(&value, kind))
		case kind == simdjson.TypeObject:
			var inner simdjson.Object
			if _, err = value.Object(&inner); err == nil {
				err = d.walkSIMD(&inner, kid, into)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (d *documentDecoder) listSIMD(value *simdjson.Iter, l *list, into []cell) error {
	c := cell{set: true, from: len(d.elements)}
	var fail error
	take := func(item simdjson.Iter) {
		if item.Type() != simdjson.TypeObject {
			d.nulled++
			return
		}
		var inner simdjson.Object
		if _, err := item.Object(&inner); err != nil {
			fail = err
			return
		}
		if err := d.walkSIMD(&inner, l.root, d.element(l)); err != nil {
			fail = err
		}
		c.num++
	}
	if value.Type() == simdjson.TypeArray {
		items, err := value.Array(nil)
		if err != nil {
			return err
		}
		items.ForEach(take)
	} else {
		take(*value)
	}
	into[l.cell] = c
	return fail
}

func (d *documentDecoder) simdValue(i *simdjson.Iter, kind simdjson.Type) jsonValue {
	out := jsonValue{kind: jsonOther}
	switch kind {
	case simdjson.TypeString:
		text, err := i.StringBytes()
		if err == nil {
			out.kind, out.text = jsonText, text
		}
	case simdjson.TypeBool:
		on, err := i.Bool()
		if err == nil {
			out.kind = jsonBool
			if on {
				out.num = 1
			}
		}
	case simdjson.TypeInt:
		n, err := i.Int()
		if err == nil {
			out.kind, out.num = jsonInt, n
		}
	case simdjson.TypeUint, simdjson.TypeFloat:
		f, err := i.Float()
		if err == nil {
			out.kind, out.flt = jsonFloat, f
		}
	case simdjson.TypeArray:
		out = d.oneOfSIMD(i)
	}
	return out
}

func (d *documentDecoder) jsonSIMD(l *leaf, into []cell, i *simdjson.Iter, kind simdjson.Type) {
	var text []byte
	if kind == simdjson.TypeString {
		text, _ = i.StringBytes() // the parser has seen the text
	}
	d.storeJSON(l, into, text, func(dst []byte) []byte {
		out, err := i.MarshalJSONBuffer(dst)
		if err != nil { // a number that JSON cannot write
			return append(dst, "null"...)
		}
		return out
	})
}

// oneOfSIMD is the value of an array of one value.
func (d *documentDecoder) oneOfSIMD(i *simdjson.Iter) jsonValue {
	items, err := i.Array(&d.items)
	if err != nil {
		return jsonValue{kind: jsonOther}
	}
	item := items.Iter()
	kind := item.Advance()
	switch kind {
	case simdjson.TypeNone, simdjson.TypeNull, simdjson.TypeArray:
		return jsonValue{kind: jsonOther}
	}
	one := d.simdValue(&item, kind)
	if item.Advance() != simdjson.TypeNone {
		return jsonValue{kind: jsonOther}
	}
	return one
}
