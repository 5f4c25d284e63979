package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// identity is the tenant and connection of the lake.
func identity() hunt.Identity { return hunt.Identity{Tenant: "bench", Connection: "lake"} }

// sourceReport says what became of the records of one source.
type sourceReport struct {
	Source     string        `json:"source"`
	Lines      int64         `json:"lines"`
	Records    int64         `json:"records"`
	Rows       int64         `json:"rows"`
	Duplicates int64         `json:"duplicates"`
	Rejected   int64         `json:"rejected"`
	Untimed    int64         `json:"untimed"`
	Took       time.Duration `json:"took"`
	LeftOut    string        `json:"leftOut,omitempty"` // why nothing of it is in the lake
}

// ingestReport says how the lake was made.
type ingestReport struct {
	Sources []sourceReport `json:"sources"`
	Index   time.Duration  `json:"index"` // the files connector reads and maps everything once to know what it holds
	Files   int64          `json:"files"`
	Bytes   int64          `json:"bytes"` // Parquet
	Native  int64          `json:"native"`
}

const reportFile = "report.json"

// makeLake ingests the unpacked events into a lake, once for each version of the mappings and of the lake's writer.
func makeLake(ctx context.Context, u *unpacked) (dir string, report *ingestReport, err error) {
	version, err := lakeVersion()
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(u.dir+"-lakes", version)
	err = once(dir, func(temp string) error {
		fmt.Println("bench: ingesting the events into a lake, once for this version of mappings and lake")
		report, err := ingest(ctx, u, temp)
		if err != nil {
			return err
		}
		text, err := json.Marshal(report)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(temp, reportFile), text, 0o644)
	})
	if err != nil {
		return "", nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, reportFile))
	if err != nil {
		return "", nil, err
	}
	report = &ingestReport{}
	return dir, report, json.Unmarshal(text, report)
}

// ingest is what the ingest command does: part by part through the files connector, one commit each.
func ingest(ctx context.Context, u *unpacked, dir string) (*ingestReport, error) {
	set, err := mapping.Builtin()
	if err != nil {
		return nil, err
	}
	into, err := lake.Open(ctx, identity(), lake.Config{Path: dir})
	if err != nil {
		return nil, err
	}
	defer into.Close()
	began := time.Now()
	from, err := files.Open(ctx, identity(), files.Config{Path: u.logs(), CacheBytes: 1}, files.Options{Mappings: set})
	if err != nil {
		return nil, err
	}
	defer from.Close()
	report := &ingestReport{Index: time.Since(began)}
	for _, part := range from.Parts() {
		s, err := ingestPart(ctx, into, from, part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.Name, err)
		}
		s.Lines = u.Lines[s.Source]
		report.Sources = append(report.Sources, s)
		if err := s.check(); err != nil {
			return nil, err
		}
	}
	desc, err := from.Describe(ctx)
	if err != nil {
		return nil, err
	}
	report.leaveOut(u.Lines, desc.Notes)
	if report.Native, _, err = sizeOf(u.logs(), ".ndjson"); err == nil {
		report.Bytes, report.Files, err = sizeOf(dir, ".parquet")
	}
	return report, err
}

func ingestPart(ctx context.Context, into *lake.Lake, from *files.Files, part files.Part) (sourceReport, error) {
	s := sourceReport{Source: strings.TrimSuffix(part.Name, ".ndjson")}
	began := time.Now()
	w, err := into.Begin(ctx, hunt.Input{Name: part.Name, Digest: part.Digest})
	if err != nil {
		return s, err
	}
	defer w.Abort()
	counts, err := from.Scan(ctx, part.Name, func(st *hunt.Stream, rec arrow.RecordBatch) error { return w.Append(st, rec) })
	if err != nil {
		return s, err
	}
	if err := w.Commit(hunt.Counts{Records: counts.Records, Rejected: counts.Rejected}); err != nil {
		return s, err
	}
	s.Took, s.Records, s.Rejected, s.Untimed = time.Since(began), counts.Records, counts.Rejected, counts.Untimed
	s.Rows, s.Duplicates = w.Written()
	return s, nil
}

// check holds the books to the unit: every line is a record, and every record a row, a duplicate or a reject.
func (s *sourceReport) check() error {
	if s.Lines != s.Records {
		return fmt.Errorf("%s: %d lines were unpacked and %d records read", s.Source, s.Lines, s.Records)
	}
	if s.Records != s.Rows+s.Duplicates+s.Rejected {
		return fmt.Errorf("%s: %d records are not %d rows + %d duplicates + %d rejected", s.Source, s.Records, s.Rows, s.Duplicates, s.Rejected)
	}
	return nil
}

// leaveOut adds the sources that the files connector does not take, with what it says about them.
func (r *ingestReport) leaveOut(lines map[string]int64, notes []string) {
	for source, n := range lines {
		if slices.ContainsFunc(r.Sources, func(s sourceReport) bool { return s.Source == source }) {
			continue
		}
		why := "the files connector does not say why"
		if i := slices.IndexFunc(notes, func(note string) bool { return strings.Contains(note, source+".ndjson") }); i >= 0 {
			why = notes[i]
		}
		r.Sources = append(r.Sources, sourceReport{Source: source, Lines: n, LeftOut: why})
	}
	slices.SortFunc(r.Sources, func(a, b sourceReport) int { return int(b.Lines - a.Lines) })
}

// sizeOf adds up the files below dir whose name ends with suffix.
func sizeOf(dir, suffix string) (bytes, count int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes, count = bytes+info.Size(), count+1
		}
		return err
	})
	return bytes, count, err
}

// print writes the books of the ingestion.
func (r *ingestReport) print(out io.Writer) {
	t := tabwriter.NewWriter(out, 2, 0, 2, ' ', tabwriter.AlignRight)
	var sum sourceReport
	var left int64
	fmt.Fprintln(t, "source\tlines\trows\tduplicates\trejected\twithout time\tseconds\trecords/s\t")
	for _, s := range r.Sources {
		if s.LeftOut != "" {
			left += s.Lines
			fmt.Fprintf(t, "%s\t%d\tleft out\t\t\t\t\t\t\n", s.Source, s.Lines)
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.0f\t\n", s.Source, s.Lines, s.Rows, s.Duplicates, s.Rejected, s.Untimed, s.Took.Seconds(), float64(s.Records)/s.Took.Seconds())
		sum.Lines, sum.Records, sum.Rows, sum.Duplicates = sum.Lines+s.Lines, sum.Records+s.Records, sum.Rows+s.Rows, sum.Duplicates+s.Duplicates
		sum.Rejected, sum.Untimed, sum.Took = sum.Rejected+s.Rejected, sum.Untimed+s.Untimed, sum.Took+s.Took
	}
	fmt.Fprintf(t, "in the lake\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.0f\t\n", sum.Lines, sum.Rows, sum.Duplicates, sum.Rejected, sum.Untimed, sum.Took.Seconds(), float64(sum.Records)/sum.Took.Seconds())
	t.Flush()
	fmt.Fprintf(out, "Every line is a record and every record a row, a duplicate or a reject. %d lines are left out:\n", left)
	for _, s := range r.Sources {
		if s.LeftOut != "" {
			fmt.Fprintf(out, "  %s, %d lines: %s\n", s.Source, s.Lines, s.LeftOut)
		}
	}
	fmt.Fprintf(out, "Before it, the files connector indexed all of it in %.1f s (%.0f MB native). Parquet: %.1f MB in %d files.\n",
		r.Index.Seconds(), float64(r.Native)/1e6, float64(r.Bytes)/1e6, r.Files)
}
