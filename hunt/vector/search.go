package vector

import (
	"bytes"
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// chunkBytes is about how much text of a column is searched at a time: little enough that the folded copy stays in a processor's cache,
// and enough that starting a search costs nothing.
const chunkBytes = 32 << 10

// search selects the values that hold a needle, which is not empty. It searches many values at once, as they lie in the column's
// buffer, and asks afterwards in which value a place is. With fold set the needle is in lower case and ASCII.
func search(needle string, fold bool) textKernel {
	sought := []byte(needle)
	return func(col *array.String, m Mask) {
		if len(m) == 0 {
			return // an empty column may have no offsets at all
		}
		data, offsets := col.ValueBytes(), col.ValueOffsets()
		var scratch []byte
		for from, to := 0, 0; from < len(m); from = to {
			to = chunkEnd(offsets, from)
			text := data[offsets[from]-offsets[0] : offsets[to]-offsets[0]]
			if fold {
				scratch = appendLower(scratch[:0], text)
				text = scratch
			}
			mark(m[from:to], offsets[from:to+1], text, sought)
		}
		dropNulls(col, m)
	}
}

// chunkEnd returns the row after the last of the chunk that begins at row from, which has at least that one.
func chunkEnd(offsets []int32, from int) int {
	to := from + 1
	for to < len(offsets)-1 && offsets[to+1]-offsets[from] <= chunkBytes {
		to++
	}
	return to
}

// mark selects the rows in which needle lies. Row i is the bytes offsets[i] to offsets[i+1] of text, which begins at offsets[0].
func mark(m Mask, offsets []int32, text, needle []byte) {
	for row := 0; row < len(m); row++ {
		at := int(offsets[row] - offsets[0])
		if len(needle) > int(offsets[row+1]-offsets[row]) {
			continue // a search from here would be for nothing
		}
		i := bytes.Index(text[at:], needle)
		if i < 0 {
			return
		}
		at += i
		for int(offsets[row+1]-offsets[0]) <= at {
			row++
		}
		// A place that reaches into the next row is none, and then a later one of this row does so too.
		m[row] = at+len(needle) <= int(offsets[row+1]-offsets[0])
	}
}

// dropNulls takes rows without a value out of m.
func dropNulls(col arrow.Array, m Mask) {
	if col.NullN() == 0 {
		return
	}
	for i := range m {
		m[i] = m[i] && col.IsValid(i)
	}
}

// appendLower appends text to dst with A-Z as a-z, eight bytes at a time.
func appendLower(dst, text []byte) []byte {
	dst = append(dst, text...)
	rest := dst[len(dst)-len(text):]
	for ; len(rest) >= 8; rest = rest[8:] {
		binary.LittleEndian.PutUint64(rest, lowerEight(binary.LittleEndian.Uint64(rest)))
	}
	for i, c := range rest {
		rest[i] = lower(c)
	}
	return dst
}

// lowerEight is lower for each byte of x. The sums carry into the top bit of a byte, never beyond: from is set there for what is A or
// above, above for what is above Z. An upper-case letter lacks the bit 0x20, two below the top bit.
func lowerEight(x uint64) uint64 {
	const ones = 0x0101010101010101
	low := x & (0x7f * ones)
	from, above := low+(0x80-'A')*ones, low+(0x7f-'Z')*ones
	return x | ((from^above)&^x&(0x80*ones))>>2
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
