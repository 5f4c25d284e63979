package protocol

import "encoding/binary"

// flat reads a FlatBuffers message (flatbuffers.dev, "FlatBuffer internals") without trusting it: a read outside of the buffer gives 0
// and sets bad. Arrow's own reader is not used, because what it allocates and how deep it recurses is up to the message.
type flat struct {
	buf []byte
	bad bool
}

// table is one table of a message: where it is and where its vtable is. The zero table has no fields.
type table struct {
	f       *flat
	at, vt  int
	slots   int // bytes of the vtable
	present bool
}

// has says whether n bytes lie at at, and marks the message if not.
func (f *flat) has(at, n int) bool {
	if at < 0 || n < 0 || at > len(f.buf) || n > len(f.buf)-at {
		f.bad = true
		return false
	}
	return true
}

func (f *flat) u8(at int) byte {
	if !f.has(at, 1) {
		return 0
	}
	return f.buf[at]
}

func (f *flat) u16(at int) int {
	if !f.has(at, 2) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(f.buf[at:]))
}

func (f *flat) i32(at int) int {
	if !f.has(at, 4) {
		return 0
	}
	return int(int32(binary.LittleEndian.Uint32(f.buf[at:])))
}

func (f *flat) i64(at int) int64 {
	if !f.has(at, 8) {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(f.buf[at:]))
}

// follow returns where the offset at at leads; offsets lead forward, so that there are no cycles.
func (f *flat) follow(at int) int {
	to := f.i32(at)
	if to <= 0 {
		f.bad = true
		return 0
	}
	return at + to
}

// table reads where a table and its fields are.
func (f *flat) table(at int) table {
	t := table{f: f, at: at, vt: at - f.i32(at), present: true}
	t.slots = f.u16(t.vt)
	return t
}

// root returns the table that a message is.
func (f *flat) root() table { return f.table(f.follow(0)) }

// field returns where field i is stored, false if it has its default.
func (t table) field(i int) (int, bool) {
	slot := 4 + 2*i
	if !t.present || slot+2 > t.slots {
		return 0, false
	}
	offset := t.f.u16(t.vt + slot)
	return t.at + offset, offset != 0
}

// sub returns the table that field i leads to; one that is absent has no fields.
func (t table) sub(i int) table {
	at, ok := t.field(i)
	if !ok {
		return table{}
	}
	return t.f.table(t.f.follow(at))
}

// vector returns where the elements of field i begin and how many there are, each of size bytes.
func (t table) vector(i, size int) (at, n int) {
	at, ok := t.field(i)
	if !ok {
		return 0, 0
	}
	at = t.f.follow(at)
	n = t.f.i32(at)
	if n < 0 || n > len(t.f.buf)/size || !t.f.has(at+4, n*size) {
		t.f.bad = true
		return 0, 0
	}
	return at + 4, n
}

// maxText is the longest name that is read.
const maxText = 256

func (t table) text(i int) string {
	at, n := t.vector(i, 1)
	if n > maxText {
		t.f.bad = true
		return ""
	}
	return string(t.f.buf[at : at+n])
}

func (t table) u8(i int) byte {
	if at, ok := t.field(i); ok {
		return t.f.u8(at)
	}
	return 0
}

func (t table) i16(i int) int {
	if at, ok := t.field(i); ok {
		return int(int16(t.f.u16(at)))
	}
	return 0
}

func (t table) i32(i int) int {
	if at, ok := t.field(i); ok {
		return t.f.i32(at)
	}
	return 0
}

func (t table) i64(i int) int64 {
	if at, ok := t.field(i); ok {
		return t.f.i64(at)
	}
	return 0
}
