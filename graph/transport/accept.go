package transport

import (
	"cmp"
	"mime"
	"slices"
	"strconv"
	"strings"
)

// media is a content type that this package can answer with.
type media string

const (
	plainJSON    media = "application/json"
	responseJSON media = "application/graphql-response+json"
	eventStream  media = "text/event-stream"
)

// header is the value of Content-Type. Event streams are UTF-8 by definition.
func (m media) header() string {
	if m == eventStream {
		return string(m)
	}
	return string(m) + "; charset=utf-8"
}

// accepted holds the media types that the client takes, best first.
type accepted []media

// streamFirst reports that the client would rather have an event stream than JSON. Being
// in the list is not enough: urql lists text/event-stream with every plain query.
func (a accepted) streamFirst() bool { return len(a) > 0 && a[0] == eventStream }

func (a accepted) stream() bool { return slices.Contains(a, eventStream) }

// json returns the better of the JSON types, and plain JSON for a client that takes
// neither, because an error has to be written as something.
func (a accepted) json() media {
	for _, m := range a {
		if m != eventStream {
			return m
		}
	}
	return plainJSON
}

// mediaRange is one element of an Accept header.
type mediaRange struct {
	pattern  string
	quality  float64
	position int
}

// offer is a media type with the range that decides about it.
type offer struct {
	media media
	by    mediaRange
}

// negotiate orders the media types by quality, then named before wildcard, then by the
// client's order. A missing header means anything, and anything means plain JSON.
func negotiate(headers []string) accepted {
	ranges := parseAccept(strings.Join(headers, ","))
	var offers []offer
	for _, m := range []media{plainJSON, responseJSON, eventStream} {
		if r, ok := deciding(ranges, m); ok && r.quality > 0 {
			offers = append(offers, offer{m, r})
		}
	}
	slices.SortStableFunc(offers, func(a, b offer) int {
		return cmp.Or(
			cmp.Compare(b.by.quality, a.by.quality),
			cmp.Compare(b.by.specificity(), a.by.specificity()),
			cmp.Compare(a.by.position, b.by.position),
		)
	})
	out := make(accepted, len(offers))
	for i, o := range offers {
		out[i] = o.media
	}
	return out
}

// parseAccept reads a header leniently: what it cannot read names no type of ours.
func parseAccept(header string) []mediaRange {
	if strings.Trim(header, " \t,") == "" {
		return []mediaRange{{pattern: "*/*", quality: 1}}
	}
	var out []mediaRange
	for element := range strings.SplitSeq(header, ",") {
		pattern, params, err := mime.ParseMediaType(element)
		if err != nil || !utf8Charset(params) {
			continue
		}
		out = append(out, mediaRange{pattern, quality(params["q"]), len(out)})
	}
	return out
}

func utf8Charset(params map[string]string) bool {
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}

func quality(q string) float64 {
	if q == "" {
		return 1
	}
	v, err := strconv.ParseFloat(q, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return 0
	}
	return v
}

// deciding returns the most specific range that covers the type (RFC 9110, 12.5.1).
func deciding(ranges []mediaRange, m media) (best mediaRange, ok bool) {
	for _, r := range ranges {
		if r.covers(m) && (!ok || r.specificity() > best.specificity()) {
			best, ok = r, true
		}
	}
	return best, ok
}

func (r mediaRange) covers(m media) bool {
	kind, _, _ := strings.Cut(string(m), "/")
	return r.pattern == string(m) || r.pattern == "*/*" || r.pattern == kind+"/*"
}

func (r mediaRange) specificity() int {
	return 2 - strings.Count(r.pattern, "*")
}
