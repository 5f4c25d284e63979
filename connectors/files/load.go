package files

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Scan maps a whole part with all columns, raw and unmapped, for a load into a lake, and calls emit with batches of at most 8,192 rows
// or 16 MiB of raw records, each of one stream; emit's error ends it. The error is a *hunt.Error: SOURCE_DAMAGED if the part cannot be
// read to its end, after the rows before the damage were emitted; NOT_FOUND if there is no such part.
func (f *Files) Scan(ctx context.Context, name string, emit func(stream *hunt.Stream, rec arrow.RecordBatch) error) (Counts, error) {
	ctx, end, ok := f.begin(ctx)
	if !ok {
		return Counts{}, f.errClosed()
	}
	defer end()
	st := f.state.Load()
	at := slices.IndexFunc(st.parts, func(p *part) bool { return p.name == name && p.note == "" })
	if at < 0 {
		return Counts{}, f.errorf(hunt.NotFound, "no part %q; Parts lists them", name)
	}
	p := st.parts[at]
	var total Counts
	for _, seg := range p.segments {
		counts, err := f.scanSegment(ctx, item{file: st.files[fileName(p)], part: p, seg: seg}, emit)
		total.add(counts)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (f *Files) scanSegment(ctx context.Context, it item, emit func(*hunt.Stream, arrow.RecordBatch) error) (Counts, error) {
	if !f.unchanged(it.file, it.part) {
		return Counts{}, f.errorf(hunt.SourceFailed, "%s has changed since it was described; describe again", it.part.name)
	}
	scratch := &segment{part: it.part.name, from: it.seg.from}
	var failed error
	err := f.readSegment(ctx, it, func(in framer) error {
		m := f.newMapper(ctx, scratch)
		m.paths = func(k streamKey) ([]string, bool) { return append(f.columnsOf(k), ocsf.ColUnmapped), true }
		m.emit = func(k streamKey, rec arrow.RecordBatch) error {
			failed = emit(f.bases[k], vector.Project(rec, hunt.Schema(k.class, allPaths(k.class))))
			return failed
		}
		return m.run(in)
	})
	switch {
	case failed != nil:
		return scratch.counts, failed
	case ctx.Err() != nil:
		return scratch.counts, f.cancelled(ctx)
	case err != nil:
		return scratch.counts, damage(it.part.name, it.seg.from, err)
	case scratch.damage != nil:
		return scratch.counts, scratch.damage
	}
	return scratch.counts, nil
}

// allPaths lists all columns of a class with raw and unmapped.
func allPaths(class *ocsf.Class) []string {
	out := []string{ocsf.ColRaw, ocsf.ColUnmapped}
	for i := range class.Columns {
		out = append(out, class.Columns[i].Path)
	}
	return out
}
