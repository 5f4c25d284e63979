package elastic

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/minio/simdjson-go"
	"github.com/valyala/fastjson"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// rows is what documents were decoded to.
type rows struct {
	rec      arrow.RecordBatch // nil if there is no row
	rejected []hunt.Rejected
}

// decoder turns answers into batches. It belongs to one goroutine.
type decoder interface {
	// parse reads what surrounds the documents of an answer, which must not change until the documents are decoded.
	parse(body []byte) (*envelope, error)
	// decode appends the documents of the answer that was parsed last.
	decode(e *envelope)
	// take returns the rows that were appended since the last call.
	take() rows
	// discard forgets them.
	discard()
}

// newDecoder makes the decoder for a request to a stream.
func (e *Elastic) newDecoder(src *source, r *hunt.Request) decoder {
	if src.mapping != nil {
		return &mappedDecoder{identity: e.identity, dec: e.set.NewDecoder(), name: src.mapping.Name, class: r.Class,
			builder: mapping.NewBuilder(r.Class, r.Columns)}
	}
	return newDocumentDecoder(e.identity, src, r)
}

// rejects gathers documents that could not be decoded, one frame for each index.
type rejects []hunt.Rejected

func (r *rejects) add(index, id []byte, reason string) {
	for i := range *r {
		if (*r)[i].Part == string(index) {
			(*r)[i].Count++
			return
		}
	}
	*r = append(*r, hunt.Rejected{Part: string(index), Count: 1, Reason: fmt.Sprintf("document %s: %s", id, shorten(reason))})
}

// foreignUID identifies a document that others wrote, for ever. An index that is shrunk, mounted from a snapshot or restored by
// lifecycle management keeps its documents and their ids under a name with a prefix.
func foreignUID(id hunt.Identity, index, doc []byte) string {
	name := bareIndex(string(index))
	return mapping.UID(id, append(append([]byte(name), 0), doc...))
}

// bareIndex is an index's name without the prefixes that lifecycle management gives it: partial-, restored- and shrink-xxxx-, where
// xxxx is a random word of four characters or more (Elasticsearch Reference, ILM actions "searchable_snapshot" and "shrink").
func bareIndex(name string) string {
	for {
		rest := strings.TrimPrefix(strings.TrimPrefix(name, "partial-"), "restored-")
		if tail, ok := strings.CutPrefix(rest, "shrink-"); ok {
			if word, after, ok := strings.Cut(tail, "-"); ok && len(word) >= 4 && after != "" {
				rest = after
			}
		}
		if rest == name || rest == "" {
			return name
		}
		name = rest
	}
}

// mappedDecoder decodes foreign documents by a mapping.
type mappedDecoder struct {
	identity hunt.Identity
	dec      *mapping.Decoder
	name     string // of the mapping, the only one that dec knows
	class    *ocsf.Class
	builder  *mapping.Builder
	rejected rejects
}

func (d *mappedDecoder) parse(body []byte) (*envelope, error) { return scan(body) }

func (d *mappedDecoder) decode(e *envelope) {
	for _, h := range e.hits {
		if h.source == nil {
			d.rejected.add(h.index, h.id, "it has no _source")
			continue
		}
		if err := d.dec.JSON(h.source); err != nil {
			d.rejected.add(h.index, h.id, err.Error())
			continue
		}
		switch m := d.dec.Match(); {
		case m == nil: // the cluster cannot tell that from its fields, so it may be an event all the same
			d.rejected.add(h.index, h.id, "the mapping "+d.name+" does not take it")
		case m.Class == d.class: // others are of another stream of the mapping
			d.builder.AppendUID(d.dec, m, foreignUID(d.identity, h.index, h.id))
		}
	}
	e.lastHit()
}

func (d *mappedDecoder) take() rows {
	out := rows{rejected: d.rejected}
	if d.builder.Rows() > 0 {
		out.rec = d.builder.Batch()
	}
	d.rejected = nil
	return out
}

func (d *mappedDecoder) discard() { d.take() }

// branch is a place in the documents: an object with values below it, a value, or an array of objects.
type branch struct {
	kids map[string]*branch
	leaf *leaf
	list *list
}

// leaf is a value that is read.
type leaf struct {
	cell int // where in the row
	kind ocsf.Type
}

// list is an array of objects that is read.
type list struct {
	cell  int
	root  *branch // of an element
	width int     // cells of an element
}

func newBranch() *branch { return &branch{kids: map[string]*branch{}} }

// at returns the branch of a dotted path and makes it.
func (b *branch) at(path string) *branch {
	for _, part := range strings.Split(path, ".") {
		kid := b.kids[part]
		if kid == nil {
			kid = newBranch()
			b.kids[part] = kid
		}
		b = kid
	}
	return b
}

// find returns the branch of a key, which may be a dotted path; nil if nothing there is read.
func (b *branch) find(key []byte) *branch {
	if kid := b.kids[string(key)]; kid != nil || bytes.IndexByte(key, '.') < 0 {
		return kid
	}
	for _, part := range bytes.Split(key, []byte(".")) {
		if b = b.kids[string(part)]; b == nil {
			return nil
		}
	}
	return b
}

// cell is one value of a row, of the type of its column already; the bytes belong to the answer.
type cell struct {
	set  bool
	text []byte
	num  int64 // integers, booleans, times; of a list the number of its elements
	flt  float64
	ip   [16]byte
	from int // of a list: where its elements begin
}

// documentDecoder decodes documents whose fields are named like the columns.
type documentDecoder struct {
	identity hunt.Identity
	foreign  bool // of others: times are milliseconds or text, and the index is part of the uid
	class    *ocsf.Class
	schema   *arrow.Schema
	root     *branch
	raw      int // cell of the column raw if it is the text of the document, else -1
	builders []array.Builder
	appends  []func(array.Builder, *cell)

	values   map[string]*columnValue // by path
	before   columnValue             // stands before the first of a document
	leaves   []*leaf                 // by cell; nil for those that no value by column fills
	found    values                  // of the answer that was parsed last, if it has values by column
	body     []byte                  // that answer, nil if it has none
	simd     *simdjson.ParsedJson
	items    simdjson.Array  // reused
	docs     *simdjson.Array // documents of the answer that was parsed last, nil if the envelope has them
	fast     fastjson.Parser
	row      []cell
	elements []cell
	scratch  []byte
	count    int
	nulled   int64
	rejected rejects
}

func newDocumentDecoder(id hunt.Identity, src *source, r *hunt.Request) *documentDecoder {
	d := &documentDecoder{identity: id, foreign: !src.micros, class: r.Class, schema: hunt.Schema(r.Class, r.Columns), root: newBranch(), raw: -1,
		values: map[string]*columnValue{}}
	for i, f := range d.schema.Fields() {
		d.builders = append(d.builders, array.NewBuilder(memory.DefaultAllocator, f.Type))
		if subs := r.Class.List(f.Name); len(subs) > 0 {
			d.addList(i, f.Name, subs)
			continue
		}
		col := r.Class.Column(f.Name)
		d.appends = append(d.appends, appendOf(col.Type))
		switch {
		case f.Name == ocsf.ColUID && d.foreign:
		case f.Name == ocsf.ColRaw && d.foreign:
			d.raw = i
		default:
			at := &leaf{i, col.Type}
			d.root.at(f.Name).leaf = at
			d.values[f.Name] = newColumnValue(f.Name, at)
		}
	}
	if src.time != "" && src.time != ocsf.ColTime {
		at := d.schema.FieldIndices(ocsf.ColTime)[0]
		d.root.at(ocsf.ColTime).leaf = nil
		d.root.at(src.time).leaf = &leaf{at, ocsf.Time}
	}
	d.row = make([]cell, d.schema.NumFields())
	d.leaves = make([]*leaf, d.schema.NumFields())
	for _, v := range d.values {
		d.leaves[v.leaf.cell] = v.leaf
	}
	return d
}

func (d *documentDecoder) addList(at int, name string, subs []*ocsf.Column) {
	l := &list{cell: at, root: newBranch(), width: len(subs)}
	var puts []func(array.Builder, *cell)
	for i, c := range subs {
		l.root.at(c.Leaf()).leaf = &leaf{i, c.Type}
		puts = append(puts, appendOf(c.Type))
	}
	d.root.at(name).list = l
	d.appends = append(d.appends, func(b array.Builder, c *cell) {
		lists := b.(*array.ListBuilder)
		if !c.set {
			lists.AppendNull()
			return
		}
		lists.Append(true)
		objects := lists.ValueBuilder().(*array.StructBuilder)
		for i := range int(c.num) {
			objects.Append(true)
			for k, put := range puts {
				put(objects.FieldBuilder(k), &d.elements[c.from+i*len(puts)+k])
			}
		}
	})
}

// appendOf returns how cells of a type go into their column.
func appendOf(t ocsf.Type) func(array.Builder, *cell) {
	put := func(b array.Builder, c *cell) { b.(*array.StringBuilder).BinaryBuilder.Append(c.text) }
	switch t {
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		put = func(b array.Builder, c *cell) { b.(*array.Int64Builder).Append(c.num) }
	case ocsf.Float:
		put = func(b array.Builder, c *cell) { b.(*array.Float64Builder).Append(c.flt) }
	case ocsf.Boolean:
		put = func(b array.Builder, c *cell) { b.(*array.BooleanBuilder).Append(c.num != 0) }
	case ocsf.Time:
		put = func(b array.Builder, c *cell) { b.(*array.TimestampBuilder).Append(arrow.Timestamp(c.num)) }
	case ocsf.IP:
		put = func(b array.Builder, c *cell) { b.(*array.FixedSizeBinaryBuilder).Append(c.ip[:]) }
	}
	return func(b array.Builder, c *cell) {
		if !c.set {
			b.AppendNull()
			return
		}
		put(b, c)
	}
}

// parse reads the whole answer in one go: values by column, or documents where the processor can. What these refuse is read document by
// document.
func (d *documentDecoder) parse(body []byte) (*envelope, error) {
	d.docs = nil
	e, err := d.parseValues(body)
	if err == nil {
		return e, nil
	}
	d.body = nil
	if errors.Is(err, errDocuments) && simdjson.SupportedCPU() && d.raw < 0 {
		if e, err := d.parseSIMD(body); err == nil {
			return e, nil
		}
	}
	d.docs = nil
	return scan(body)
}

func (d *documentDecoder) decode(e *envelope) {
	switch {
	case d.body != nil:
		d.decodeValues(e)
		return
	case d.docs != nil:
		d.decodeSIMD(e)
		return
	}
	for _, h := range e.hits {
		d.begin()
		if h.source == nil {
			d.rejected.add(h.index, h.id, "it has no _source")
			continue
		}
		v, err := d.fast.ParseBytes(h.source)
		if err != nil || v.Type() != fastjson.TypeObject {
			d.rejected.add(h.index, h.id, "its _source is no JSON object")
			continue
		}
		d.walkFast(v.GetObject(), d.root, d.row)
		if d.raw >= 0 {
			d.row[d.raw] = cell{set: true, text: h.source}
		}
		d.end(h.index, h.id)
	}
	e.lastHit()
}

// begin starts a row.
func (d *documentDecoder) begin() {
	clear(d.row)
	d.elements = d.elements[:0]
	d.scratch = d.scratch[:0]
}

// end appends the row.
func (d *documentDecoder) end(index, id []byte) {
	if d.foreign {
		d.row[0] = cell{set: true, text: []byte(foreignUID(d.identity, index, id))}
	} else if len(id) > 0 { // without it there are values by column, and it is one of them
		d.row[0] = cell{set: true, text: d.original(id)}
	}
	for i, put := range d.appends {
		put(d.builders[i], &d.row[i])
	}
	d.count++
}

func (d *documentDecoder) take() rows {
	out := rows{rejected: d.rejected}
	d.rejected = nil
	if d.count == 0 {
		return out
	}
	cols := make([]arrow.Array, len(d.builders))
	for i, b := range d.builders {
		cols[i] = b.NewArray()
	}
	out.rec = array.NewRecordBatch(d.schema, cols, int64(d.count))
	vector.ReserveLike(d.builders, cols)
	d.count = 0
	return out
}

func (d *documentDecoder) discard() { d.take() }

// walkFast takes what is read out of an object.
func (d *documentDecoder) walkFast(o *fastjson.Object, b *branch, into []cell) {
	o.Visit(func(key []byte, v *fastjson.Value) {
		if kid := b.find(key); kid != nil {
			d.storeFast(v, kid, into)
		}
	})
}

func (d *documentDecoder) storeFast(v *fastjson.Value, b *branch, into []cell) {
	switch {
	case v.Type() == fastjson.TypeNull:
	case b.list != nil:
		d.listFast(v, b.list, into)
	case b.leaf != nil && b.leaf.kind == ocsf.JSON:
		d.storeJSON(b.leaf, into, v.GetStringBytes(), v.MarshalTo)
	case b.leaf != nil:
		d.store(b.leaf, into, fastValue(v))
	case v.Type() == fastjson.TypeObject:
		d.walkFast(v.GetObject(), b, into)
	}
}

// listFast takes an array of objects; one object is taken for an array of it, as the cluster does.
func (d *documentDecoder) listFast(v *fastjson.Value, l *list, into []cell) {
	items := []*fastjson.Value{v}
	if v.Type() == fastjson.TypeArray {
		items = v.GetArray()
	}
	c := cell{set: true, from: len(d.elements)}
	for _, item := range items {
		if item.Type() != fastjson.TypeObject {
			d.nulled++
			continue
		}
		d.walkFast(item.GetObject(), l.root, d.element(l))
		c.num++
	}
	into[l.cell] = c
}

// element makes room for an element of a list. Lists have no lists in them, so that the room stays where it is until it is filled.
func (d *documentDecoder) element(l *list) []cell {
	at := len(d.elements)
	for range l.width {
		d.elements = append(d.elements, cell{})
	}
	return d.elements[at:]
}

// jsonKind is the kind of a JSON value.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonInt
	jsonFloat
	jsonText
	jsonOther // an object, an array, or a number that is no int64 and no finite float64
)

// jsonValue is a JSON value as a column takes it.
type jsonValue struct {
	kind jsonKind
	text []byte
	num  int64
	flt  float64
}

func fastValue(v *fastjson.Value) jsonValue {
	switch v.Type() {
	case fastjson.TypeString:
		return jsonValue{kind: jsonText, text: v.GetStringBytes()}
	case fastjson.TypeTrue:
		return jsonValue{kind: jsonBool, num: 1}
	case fastjson.TypeFalse:
		return jsonValue{kind: jsonBool}
	case fastjson.TypeNumber:
		if n, err := v.Int64(); err == nil {
			return jsonValue{kind: jsonInt, num: n}
		}
		if f, err := v.Float64(); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return jsonValue{kind: jsonFloat, flt: f}
		}
	case fastjson.TypeArray:
		if items := v.GetArray(); len(items) == 1 && items[0].Type() != fastjson.TypeArray && items[0].Type() != fastjson.TypeNull {
			return fastValue(items[0])
		}
	}
	return jsonValue{kind: jsonOther}
}

// store puts a value into its cell; one that is no value of the column's type is missing, and counted.
func (d *documentDecoder) store(l *leaf, into []cell, v jsonValue) {
	c := cell{set: true}
	switch l.kind {
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		c.num, c.set = v.integer()
	case ocsf.Float:
		c.flt, c.set = v.float()
		c.set = c.set && (!d.foreign || !math.IsNaN(c.flt)) // those of others have no such number
	case ocsf.Boolean:
		c.num, c.set = v.boolean()
	case ocsf.Time:
		c.num, c.set = d.instant(v)
	case ocsf.IP:
		c.ip, c.set = v.address()
	default:
		c.text, c.set = d.original(v.text), v.kind == jsonText
	}
	if !c.set && v.kind != jsonNull {
		d.nulled++
	}
	into[l.cell] = c
}

// integer takes whole numbers, also written as text or with a fraction of zero, as the cluster's numeric fields do.
func (v jsonValue) integer() (int64, bool) {
	switch v.kind {
	case jsonInt:
		return v.num, true
	case jsonFloat:
		return int64(v.flt), v.flt == math.Trunc(v.flt) && math.Abs(v.flt) < 1<<63
	case jsonText:
		n, err := strconv.ParseInt(string(v.text), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// float takes numbers, also written as text, and the names of those that JSON has no number for.
func (v jsonValue) float() (float64, bool) {
	switch v.kind {
	case jsonInt:
		return float64(v.num), true
	case jsonFloat:
		return v.flt, true
	case jsonText:
		f, err := strconv.ParseFloat(string(v.text), 64)
		return f, err == nil
	}
	return 0, false
}

func (v jsonValue) boolean() (int64, bool) {
	switch {
	case v.kind == jsonBool:
		return v.num, true
	case v.kind == jsonText && (string(v.text) == "true" || string(v.text) == "false"):
		return int64(5 - len(v.text)), true
	}
	return 0, false
}

func (v jsonValue) address() (out [16]byte, ok bool) {
	if v.kind != jsonText {
		return out, false
	}
	a, err := netip.ParseAddr(string(v.text))
	if err != nil {
		return out, false
	}
	return a.As16(), true
}

// instant reads a time in microseconds. Documents of this package have microseconds; those of others have milliseconds or text.
func (d *documentDecoder) instant(v jsonValue) (int64, bool) {
	switch {
	case v.kind == jsonInt && !d.foreign:
		return v.num, true
	case v.kind == jsonInt:
		return v.num * 1000, v.num > math.MinInt64/1000 && v.num < math.MaxInt64/1000
	case v.kind == jsonFloat && d.foreign && math.Abs(v.flt) < 1<<52:
		return int64(math.Floor(v.flt * 1000)), true
	case v.kind == jsonText:
		return mapping.ParseTime(v.text)
	}
	return 0, false
}

// storeJSON puts a value into a column of JSON. Documents of this package hold it as text; those of others as the value itself, which
// marshal appends.
func (d *documentDecoder) storeJSON(l *leaf, into []cell, text []byte, marshal func([]byte) []byte) {
	if text == nil || d.foreign {
		from := len(d.scratch)
		d.scratch = marshal(d.scratch)
		text = d.scratch[from:len(d.scratch):len(d.scratch)]
	}
	into[l.cell] = cell{set: true, text: d.original(text)}
}

// original is the text that a document of this package stands for.
func (d *documentDecoder) original(text []byte) []byte {
	if d.foreign || !marked(text) {
		return text
	}
	return []byte(hunt.UnescapeText(string(text)))
}

// marked says whether there may be something in a text that hunt.EscapeText wrote: all of that begins with this byte in UTF-8.
func marked(text []byte) bool { return bytes.IndexByte(text, 0xf4) >= 0 }
