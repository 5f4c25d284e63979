package elastic

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// This file says which indices are the connection's own, and what streams their events are of.

// events is the beginning of the names of the indices of events, or the pattern of them.
func (e *Elastic) events(rest string) string { return e.base() + "-events-" + rest }

// indexOf is the index of the events of a stream. A stream whose attributes change gets a new index: events that were written before
// lack the new ones, and an index says of all its events alike what they have.
func (e *Elastic) indexOf(m indexMeta) (string, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return "", e.client.fail(hunt.Internal, false, err.Error())
	}
	sum := sha256.Sum256(text)
	return e.events(m.Class + "-" + plainName(m.Stream) + "-" + hex.EncodeToString(sum[:4])), nil
}

// ownStreams makes the streams of indices that this package wrote, out of what their mappings say.
func (e *Elastic) ownStreams(sv *survey, groups []group, mappings []byte) error {
	metas, err := readMetas(mappings)
	if err != nil {
		return e.client.fail(hunt.SourceDamaged, true, "the cluster's answer to _mapping cannot be read: "+shorten(err.Error()))
	}
	found := map[string]*source{}
	partial := map[string]map[string]bool{}
	for _, g := range groups {
		for _, name := range g.Indices {
			m, why := e.own(metas[name])
			if why != "" {
				sv.say("the index %s is not searched: %s", name, why)
				continue
			}
			key := m.Class + "/" + m.Stream
			stream := m.describe()
			stream.Nulled = -1
			if found[key] == nil {
				found[key] = &source{stream: stream, time: ocsf.ColTime, times: []string{ocsf.ColTime}, micros: true}
				partial[key] = map[string]bool{}
			} else {
				agree(&found[key].stream, &stream, partial[key])
			}
			found[key].join(g, name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		sv.sources = append(sv.sources, *found[key])
		for _, a := range slices.Sorted(maps.Keys(partial[key])) {
			sv.notes = append(sv.notes, fmt.Sprintf("stream %s: %s is filled in a part of the inputs only, so it cannot be searched; ingest the older inputs anew", key, a))
		}
	}
	return nil
}

// readMetas reads the _meta of the mappings of indices.
func readMetas(mappings []byte) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	err := eachMember(mappings, func(index string, body json.RawMessage) error {
		var m struct {
			Mappings struct {
				Meta json.RawMessage `json:"_meta"`
			} `json:"mappings"`
		}
		err := json.Unmarshal(body, &m)
		out[index] = m.Mappings.Meta
		return err
	})
	return out, err
}

// own reads the _meta of an index, and says why its events are not the connection's.
func (e *Elastic) own(meta []byte) (indexMeta, string) {
	m, ok := readMeta(meta)
	switch {
	case len(meta) == 0 || !ok && m.Version == 0:
		return m, "it was not written by Harrier; set format to ocsf or to the name of a mapping"
	case m.Tenant != e.identity.Tenant || m.Connection != e.identity.Connection:
		return m, "its events are of another tenant or connection"
	case !ok:
		return m, "a later version of Harrier wrote it"
	}
	return m, ""
}

// join adds an index of a group to a source.
func (s *source) join(g group, index string) {
	if n := len(s.groups); n > 0 && slices.Contains(g.Indices, s.groups[n-1].Indices[0]) {
		s.groups[n-1].Indices = append(s.groups[n-1].Indices, index)
		return
	}
	g.Indices = []string{index}
	s.groups = append(s.groups, g)
}

// agree leaves in have what both streams say, and notes what only one does.
func agree(have, more *hunt.Stream, partial map[string]bool) {
	for _, pair := range [][2]map[string]bool{{have.Attributes, more.Attributes}, {more.Attributes, have.Attributes}} {
		for a := range pair[0] {
			if !pair[1][a] {
				partial[a] = true
			}
		}
	}
	maps.DeleteFunc(have.Attributes, func(a string, _ bool) bool { return partial[a] })
	maps.DeleteFunc(have.Closed, func(a string, _ []hunt.Value) bool { return more.Closed[a] == nil || partial[a] })
	for a, values := range have.Closed {
		for _, v := range more.Closed[a] {
			if !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		have.Closed[a] = values
	}
}
