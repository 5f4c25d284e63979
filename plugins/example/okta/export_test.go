package okta

import (
	"net/url"

	"github.com/harrier-xdr/harrier/hunt"
)

// NextLink is nextLink, for fuzzing.
func NextLink(headers []string, here *url.URL) (*url.URL, *hunt.Error) {
	return nextLink(headers, here)
}

// Parsed is what parsePage made of an answer.
type Parsed struct {
	Times    []int64
	Raw      []string
	Rejected int64
	Damaged  bool
}

// ParsePage is parsePage, for fuzzing.
func ParsePage(body []byte, id hunt.Identity) Parsed {
	p := parsePage(body, id)
	out := Parsed{Rejected: p.rejected.Count, Damaged: p.damage != nil}
	for _, e := range p.events {
		out.Times, out.Raw = append(out.Times, e.us), append(out.Raw, string(e.raw))
	}
	return out
}
