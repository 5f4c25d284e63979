package plan

import (
	"fmt"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
)

// String writes the plan for people: every stream with its native query and dispositions, and what will not be searched and why.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "hunt %s %s %s\nwhere %s\n", p.Query.Class.Name, p.Query.Range, p.Query.Order, p.Query.Where)
	for _, s := range p.Steps {
		name := s.Ref.String()
		if s.Stream != "" {
			name += " " + s.Stream
		}
		fmt.Fprintf(&b, "%-10s %s", planned(s.State), name)
		if s.Reason != "" {
			fmt.Fprintf(&b, ": %s", s.Reason)
		}
		if len(s.Missing) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(s.Missing, ", "))
		}
		if s.Err != nil {
			fmt.Fprintf(&b, ": %s %s", s.Err.Code, s.Err)
		}
		b.WriteByte('\n')
		if s.Translation != nil {
			s.write(&b)
		}
	}
	return b.String()
}

// planned is the word for a step before it ran.
func planned(s hunt.State) string {
	if s == hunt.Complete {
		return "SEARCH"
	}
	return string(s)
}

func (s *Step) write(b *strings.Builder) {
	for line := range strings.Lines(s.Translation.Native) {
		fmt.Fprintf(b, "    %s\n", strings.TrimRight(line, "\n"))
	}
	for _, d := range s.Translation.Predicates {
		fmt.Fprintf(b, "  %-8s %s", d.Disposition, d.Predicate)
		if d.Reason != "" {
			fmt.Fprintf(b, " (%s)", d.Reason)
		}
		b.WriteByte('\n')
	}
	if !hunt.IsTrue(s.Residual) {
		fmt.Fprintf(b, "  checked again: %s\n", s.Residual)
	}
}
