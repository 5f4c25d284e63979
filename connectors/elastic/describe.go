package elastic

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// thorough is how old what is known of mappings, privileges and clocks may be if the names of indices and the types of fields have not
// changed since; counts and times are always as new as the description.
const thorough = time.Minute

// state is what is known of the cluster.
type state struct {
	at          time.Time
	product     product
	description *hunt.Description
	sources     []source
	inputs      []inputDoc // that are being written, or that had records which could not be decoded
	survey      *survey
}

// source returns a stream of the state, nil if it has none of that name and class.
func (st *state) source(name string, class *ocsf.Class) *source {
	for i := range st.sources {
		if s := &st.sources[i]; s.stream.Name == name && s.stream.Class == class {
			return s
		}
	}
	return nil
}

// Describe implements hunt.Connector. It asks the cluster at most once in Config.Refresh. The error says why the cluster cannot be used;
// the next call tries again.
func (e *Elastic) Describe(ctx context.Context) (*hunt.Description, error) {
	if !e.enter() {
		return nil, e.errClosed()
	}
	defer e.running.Done()
	st, err := e.look(ctx, e.cfg.Refresh)
	if err != nil {
		return nil, err
	}
	d := *st.description
	d.Streams, d.Notes, d.Denied = slices.Clone(d.Streams), slices.Clone(d.Notes), slices.Clone(d.Denied)
	return &d, nil
}

// known returns what was described last, and looks if nothing was.
func (e *Elastic) known(ctx context.Context) (*state, error) {
	if st := e.last(); st != nil {
		return st, nil
	}
	return e.look(ctx, e.cfg.Refresh)
}

// last returns what was described last, nil if nothing was or if the cluster could not be asked since.
func (e *Elastic) last() *state {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

// look returns a state that is at most that old.
func (e *Elastic) look(ctx context.Context, old time.Duration) (*state, error) {
	select {
	case e.looking <- struct{}{}:
		defer func() { <-e.looking }()
	case <-ctx.Done():
		return nil, e.client.ended(ctx)
	}
	have := e.last()
	if have != nil && time.Since(have.at) < old {
		return have, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(e.ctx, cancel)
	defer stop()
	st, err := e.ask(ctx, have)
	if err != nil {
		st = nil
	}
	e.mu.Lock()
	e.state = st
	e.mu.Unlock()
	return st, err
}

// forget makes the next description a new one.
func (e *Elastic) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != nil {
		e.state.at = time.Time{}
	}
}

// ask finds out what the cluster holds.
func (e *Elastic) ask(ctx context.Context, have *state) (*state, error) {
	began := time.Now()
	sv, err := e.survey(ctx, have)
	if err != nil {
		return nil, err
	}
	st := &state{at: began, product: sv.product, survey: sv}
	d := &hunt.Description{Connector: "elastic", Version: "1", Backend: sv.product.String(), Denied: slices.Clone(sv.denied), Notes: slices.Clone(sv.notes),
		Unread: sv.unread, ClockSkew: sv.skew}
	st.description = d
	st.sources = slices.Clone(sv.sources)
	if e.cfg.Format == FormatHarrier {
		if st.inputs, err = e.openInputs(ctx); err != nil {
			return nil, err
		}
	}
	if err := e.count(ctx, st); err != nil {
		return nil, err
	}
	e.doubt(st)
	for i := range st.sources {
		d.Streams = append(d.Streams, st.sources[i].stream)
	}
	return st, nil
}

// survey is what changes seldom: which indices there are, with which fields, and what may be done with them.
type survey struct {
	at      time.Time
	key     [32]byte // of the names of indices and the types of fields
	product product
	names   []string // of the indices that are read, sorted
	sources []source
	notes   []string
	denied  []hunt.Denial
	unread  string
	skew    time.Duration
}

// say notes that events are not read, so that nobody knows of which class they are.
func (sv *survey) say(format string, args ...any) {
	note := fmt.Sprintf(format, args...)
	sv.notes = append(sv.notes, note)
	if sv.unread == "" {
		sv.unread = note
	}
}

// survey makes a survey, or takes the last one if nothing has changed.
func (e *Elastic) survey(ctx context.Context, have *state) (*survey, error) {
	sv := &survey{at: time.Now()}
	var err error
	if e.client.stale.Swap(false) {
		have = nil // what is known was wrong
	}
	if have != nil && time.Since(have.survey.at) < thorough {
		sv.product = have.product
	} else if sv.product, err = e.client.about(ctx); err != nil {
		return nil, err
	}
	found, err := e.resolve(ctx)
	if err != nil {
		return nil, err
	}
	e.sort(sv, found)
	var caps []byte
	if len(sv.names) > 0 && e.cfg.Format != FormatHarrier { // the names of our own say what is in them
		if caps, err = e.fieldCaps(ctx, sv.product); err != nil {
			return nil, err
		}
	}
	made, err := e.made(ctx, sv)
	if err != nil {
		return nil, err
	}
	sv.key = sha256.Sum256(fmt.Appendf(caps, "%q %q %s", sv.names, sv.notes, made))
	if have != nil && have.survey.key == sv.key && time.Since(have.survey.at) < thorough {
		return have.survey, nil
	}
	sv.skew = e.skew(ctx)
	e.privileges(ctx, sv)
	if len(sv.names) == 0 {
		return sv, nil
	}
	if err := e.fields(ctx, sv, caps); err != nil {
		return nil, err
	}
	if e.frugal(ctx) {
		sv.notes = append(sv.notes, "the cluster takes no expensive queries (search.allow_expensive_queries is false), so hunts read more events and check them here")
		for i := range sv.sources {
			sv.sources[i].frugal = true
		}
	}
	return sv, nil
}

// made returns what tells an index from another one of the same name that was there before.
func (e *Elastic) made(ctx context.Context, sv *survey) ([]byte, error) {
	if len(sv.names) == 0 {
		return nil, nil
	}
	yes := true
	a, err := e.client.do(ctx, esapi.IndicesGetSettingsRequest{Index: e.targets(), IgnoreUnavailable: &yes, AllowNoIndices: &yes,
		FilterPath: []string{"*.settings.index.uuid"}}, nil)
	if err != nil {
		return nil, err
	}
	var indices map[string]json.RawMessage
	if err := e.client.decode(a, &indices); err != nil {
		return nil, err
	}
	text, err := json.Marshal(indices) // sorted by name
	if err != nil {
		return nil, e.client.fail(hunt.Internal, false, err.Error())
	}
	return text, nil
}

// frugal finds out whether the cluster refuses expensive queries by asking one that costs nothing: not every credential may read the
// settings of a cluster.
func (e *Elastic) frugal(ctx context.Context) bool {
	const probe = `{"size":0,"query":{"nested":{"path":"harrier.probe","ignore_unmapped":true,"query":{"match_all":{}}}}}`
	var out envelope
	req := raw{method: http.MethodPost, path: strings.Join(e.targets(), ",") + "/_search", query: url.Values{"ignore_unavailable": {"true"}}, body: []byte(probe)}
	err := e.client.get(ctx, req, &out)
	if r := refusalOf(err); r != nil {
		return frugality(r.problem.detail())
	}
	return err == nil && out.Shards != nil && slices.ContainsFunc(out.Shards.Failures, func(f shardFailure) bool { return frugality(f.Reason.Reason) })
}

// targets are the names and patterns that are read.
func (e *Elastic) targets() []string {
	if len(e.cfg.Indices) > 0 {
		return e.cfg.Indices
	}
	return []string{e.events("*")}
}

// resolved is an answer of _resolve/index.
type resolved struct {
	Indices []struct {
		Name       string   `json:"name"`
		Attributes []string `json:"attributes"`
	} `json:"indices"`
	Aliases []struct {
		Name    string   `json:"name"`
		Indices nameList `json:"indices"`
	} `json:"aliases"`
	Streams []struct {
		Name    string   `json:"name"`
		Backing nameList `json:"backing_indices"`
	} `json:"data_streams"`

	absent   []string // targets that are not there
	filtered []string // aliases with a filter
}

// nameList is one name or several.
type nameList []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *nameList) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*l = nameList{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// resolve finds out which indices the targets are, closed ones included.
func (e *Elastic) resolve(ctx context.Context) (*resolved, error) {
	out := &resolved{}
	for _, target := range e.targets() {
		if err := e.resolveInto(ctx, []string{target}, out); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for _, i := range out.Indices {
		seen[i.Name] = true
	}
	behind, err := e.aliased(ctx, out)
	if err != nil {
		return nil, err
	}
	for _, s := range out.Streams {
		behind = append(behind, s.Backing...)
	}
	behind = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(behind))), func(n string) bool { return seen[n] })
	for names := range chunks(behind, urlBytes) {
		more := &resolved{}
		if err := e.resolveInto(ctx, names, more); err != nil {
			return nil, err
		}
		out.Indices = append(out.Indices, more.Indices...)
	}
	return out, nil
}

// aliased lists the indices behind aliases. An alias with a filter shows a part of an index, which its index cannot be asked for.
func (e *Elastic) aliased(ctx context.Context, out *resolved) ([]string, error) {
	if len(out.Aliases) == 0 {
		return nil, nil
	}
	var names, behind []string
	for _, a := range out.Aliases {
		names = append(names, a.Name)
	}
	filtered := map[string]bool{}
	for part := range chunks(names, urlBytes) {
		var defs map[string]struct {
			Aliases map[string]struct {
				Filter json.RawMessage `json:"filter"`
			} `json:"aliases"`
		}
		if err := e.client.get(ctx, esapi.IndicesGetAliasRequest{Name: part}, &defs); err != nil {
			return nil, err
		}
		for _, d := range defs {
			for name, a := range d.Aliases {
				filtered[name] = filtered[name] || len(a.Filter) > 0
			}
		}
	}
	for _, a := range out.Aliases {
		if filtered[a.Name] {
			out.filtered = append(out.filtered, a.Name)
			continue
		}
		behind = append(behind, a.Indices...)
	}
	return behind, nil
}

func (e *Elastic) resolveInto(ctx context.Context, names []string, out *resolved) error {
	var got resolved
	req := raw{method: http.MethodGet, path: "_resolve/index/" + strings.Join(names, ","), query: url.Values{"expand_wildcards": {"all"}}}
	err := e.client.get(ctx, req, &got)
	if r := refusalOf(err); r != nil && r.status == http.StatusNotFound {
		out.absent = append(out.absent, names...)
		return nil
	}
	if err != nil {
		return err
	}
	if len(got.Indices)+len(got.Aliases)+len(got.Streams) == 0 {
		out.absent = append(out.absent, names...)
	}
	out.Indices = append(out.Indices, got.Indices...)
	out.Aliases = append(out.Aliases, got.Aliases...)
	out.Streams = append(out.Streams, got.Streams...)
	return nil
}

// sort decides which indices are read.
func (e *Elastic) sort(sv *survey, found *resolved) {
	var closed []string
	for _, i := range found.Indices {
		switch {
		case slices.Contains(i.Attributes, "closed"):
			closed = append(closed, i.Name)
		case strings.HasPrefix(i.Name, ".") && !strings.HasPrefix(i.Name, ".ds-") && !slices.Contains(e.cfg.Indices, i.Name):
			// The cluster's own; a pattern does not mean them.
		default:
			sv.names = append(sv.names, i.Name)
		}
	}
	slices.Sort(sv.names)
	sv.names = slices.Compact(sv.names)
	slices.Sort(closed)
	if closed = slices.Compact(closed); len(closed) > 0 {
		sv.say("closed indices are not searched; open them to search them: %s", some(closed))
	}
	if len(found.filtered) > 0 {
		sv.say("aliases with a filter are not searched; name their indices if all of their events may be seen: %s", some(found.filtered))
	}
	if len(found.absent) > 0 && e.cfg.Format != FormatHarrier {
		sv.say("no index, alias or data stream that the credential may see is named %s", some(found.absent))
	}
}

// some writes a list of names for people.
func some(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// fieldCaps asks for the types of the fields that a search may ask for, of all indices together. OpenSearch takes the names in the
// request line alone, which has no room for all of them at once.
func (e *Elastic) fieldCaps(ctx context.Context, p product) ([]byte, error) {
	yes := true
	req := esapi.FieldCapsRequest{Index: e.targets(), IgnoreUnavailable: &yes, AllowNoIndices: &yes}
	if p.name == productElasticsearch {
		body, err := json.Marshal(map[string]any{"fields": e.wanted()})
		if err != nil {
			return nil, e.client.fail(hunt.Internal, false, err.Error())
		}
		req.Body = bytes.NewReader(body)
		a, err := e.client.do(ctx, req, nil)
		if err != nil {
			return nil, err
		}
		return a.body, nil
	}
	var all []byte
	for names := range chunks(e.wanted(), urlBytes-len(strings.Join(e.targets(), ","))) {
		req.Fields = names
		a, err := e.client.do(ctx, req, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, a.body...)
	}
	return all, nil
}

// wanted lists the fields of documents that may be asked for.
func (e *Elastic) wanted() []string {
	out := append([]string{"class_uid"}, e.timeFields()...)
	for i := range ocsf.Classes() {
		if class := &ocsf.Classes()[i]; e.mapping == nil || e.mapping.Stream(class) != nil {
			out = append(out, wantedFields(class, e.mapping)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// timeFields are the fields that the time of an event comes from: the first of them that a document has.
func (e *Elastic) timeFields() []string {
	if e.mapping == nil {
		return []string{ocsf.ColTime}
	}
	var out []string
	for i := range ocsf.Classes() {
		for _, inv := range e.mapping.Anything(&ocsf.Classes()[i]) {
			for _, src := range inv.Sources(ocsf.ColTime) {
				for _, name := range src.Fields {
					for _, spelling := range e.mapping.Spellings(name) {
						if path := mapping.FieldPath(spelling); !slices.Contains(out, path) {
							out = append(out, path)
						}
					}
				}
			}
		}
	}
	return out
}

// fields reads the mappings of the indices and makes the streams.
func (e *Elastic) fields(ctx context.Context, sv *survey, caps []byte) error {
	yes := true
	mappings, err := e.client.do(ctx, esapi.IndicesGetMappingRequest{Index: e.targets(), IgnoreUnavailable: &yes, AllowNoIndices: &yes}, nil)
	if err != nil {
		return err
	}
	settings, err := e.client.do(ctx, esapi.IndicesGetSettingsRequest{Index: e.targets(), IgnoreUnavailable: &yes, AllowNoIndices: &yes,
		FilterPath: []string{"*.settings.index.mapping", "*.settings.index.verified_before_close"}}, nil)
	if err != nil {
		return err
	}
	if sv.product.name != productElasticsearch {
		caps = nil // several answers; they told of changes
	}
	groups, err := readGroups(answers{Mapping: mappings.body, Caps: caps, Settings: settings.body}, e.wanted(), sv.product.name == productElasticsearch)
	if err != nil {
		return err
	}
	for i := range groups {
		groups[i].Indices = slices.DeleteFunc(groups[i].Indices, func(n string) bool { _, ok := slices.BinarySearch(sv.names, n); return !ok })
	}
	groups = slices.DeleteFunc(groups, func(g group) bool { return len(g.Indices) == 0 })
	switch {
	case e.cfg.Format == FormatHarrier:
		return e.ownStreams(sv, groups, mappings.body)
	case e.mapping != nil:
		e.mappedStreams(sv, groups)
	default:
		return e.ocsfStreams(ctx, sv, groups)
	}
	return nil
}

// timed keeps the groups of which a field of time can be asked for, and says which cannot.
func timed(sv *survey, groups []group, fields []string) []group {
	var out []group
	for _, g := range groups {
		why := "there is no field " + strings.Join(fields, ", ") + ", so the time of its events is not known"
		usable := 0
		for _, name := range fields {
			f, ok := g.Fields[name]
			switch {
			case ok && isTime(f, name):
				usable++
			case ok:
				why = "the field " + name + " is a " + f.Type + ", by which no range of time can be asked for"
			}
		}
		if usable == 0 {
			sv.say("%s: %s; they are not searched", some(g.Indices), why)
			continue
		}
		out = append(out, g)
	}
	return out
}

// isTime says whether a range of time can be asked of a field.
func isTime(f field, name string) bool {
	return f.Name == name && f.Searchable && !f.Runtime && f.Nested == "" && (f.Kind == kindDate || f.Kind == kindDateNanos || f.Kind == kindInteger)
}

// mappedStreams makes the streams of a mapping: an attribute is provided if some index may have a native field that it is made of.
func (e *Elastic) mappedStreams(sv *survey, groups []group) {
	fields := e.timeFields()
	if groups = timed(sv, groups, fields); len(groups) == 0 {
		return
	}
	for _, s := range e.mapping.Streams() {
		for path := range s.Attributes {
			if !e.fillable(s.Class, path, groups) {
				delete(s.Attributes, path)
				delete(s.Closed, path)
			}
		}
		s.Rows, s.Nulled = -1, -1
		sv.sources = append(sv.sources, source{stream: *s, mapping: e.mapping, groups: groups, time: fields[0], times: fields})
	}
}

// fillable says whether documents of some group may have a value for a column.
func (e *Elastic) fillable(class *ocsf.Class, path string, groups []group) bool {
	col := class.Column(path)
	if col.List != "" {
		return slices.ContainsFunc(class.List(col.List), func(c *ocsf.Column) bool { return e.filled(class, c.Path, groups) })
	}
	return e.filled(class, path, groups)
}

func (e *Elastic) filled(class *ocsf.Class, path string, groups []group) bool {
	follows := true // from the class alone
	for _, inv := range e.mapping.Anything(class) {
		for _, src := range inv.Sources(path) {
			follows = false
			if src.Default || slices.ContainsFunc(src.Fields, func(name string) bool { return e.present(name, groups) }) {
				return true
			}
		}
	}
	return follows
}

func (e *Elastic) present(native string, groups []group) bool {
	for _, spelling := range e.mapping.Spellings(native) {
		if slices.ContainsFunc(groups, func(g group) bool { return mayHold(g, mapping.FieldPath(spelling)) }) {
			return true
		}
	}
	return false
}

// mayHold says whether documents of a group may have a field.
func mayHold(g group, name string) bool {
	if _, ok := g.Fields[name]; ok {
		return true
	}
	return slices.ContainsFunc(g.Opaque, func(at string) bool { return at == "" || strings.HasPrefix(name, at+".") })
}

// ocsfStreams makes a stream for every class of which there are documents.
func (e *Elastic) ocsfStreams(ctx context.Context, sv *survey, groups []group) error {
	groups = timed(sv, groups, []string{ocsf.ColTime})
	var classed []group
	for _, g := range groups {
		if f, ok := g.Fields["class_uid"]; ok && f.Searchable && f.Kind == kindInteger {
			classed = append(classed, g)
			continue
		}
		sv.say("%s: there is no class_uid that is a whole number and indexed, so the class of its events is not known; they are not searched", some(g.Indices))
	}
	if len(classed) == 0 {
		return nil
	}
	found, err := e.classes(ctx, sv, classed)
	if err != nil {
		return err
	}
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		if !found[class.UID] {
			continue
		}
		s := hunt.Stream{Name: FormatOCSF, Class: class, Attributes: map[string]bool{}, Rows: -1, Nulled: -1}
		for _, c := range class.Columns {
			s.Attributes[c.Path] = slices.ContainsFunc(classed, func(g group) bool { return mayHold(g, c.Path) })
		}
		maps.DeleteFunc(s.Attributes, func(_ string, has bool) bool { return !has })
		sv.sources = append(sv.sources, source{stream: s, groups: classed, time: ocsf.ColTime, times: []string{ocsf.ColTime}, when: term("class_uid", fmt.Sprint(class.UID)).raw()})
	}
	return nil
}

// classes finds out of which classes there are documents. A class that is not known here is noted.
func (e *Elastic) classes(ctx context.Context, sv *survey, groups []group) (map[int64]bool, error) {
	const most = 1000
	var out struct {
		envelope
		Aggregations struct {
			Classes struct {
				Other   int64 `json:"sum_other_doc_count"`
				Buckets []struct {
					Key  int64 `json:"key"`
					Rows int64 `json:"doc_count"`
				} `json:"buckets"`
			} `json:"classes"`
			Without struct {
				Rows int64 `json:"doc_count"`
			} `json:"without"`
		} `json:"aggregations"`
	}
	body := fmt.Sprintf(`{"size":0,"track_total_hits":false,"query":%s,"aggs":{"classes":{"terms":{"field":"class_uid","size":%d}},"without":{"missing":{"field":"class_uid"}}}}`,
		indexQuery(groups), most)
	yes := true
	err := e.client.get(ctx, esapi.SearchRequest{Index: e.targets(), Body: strings.NewReader(body), IgnoreUnavailable: &yes, AllowNoIndices: &yes}, &out)
	if err != nil {
		return nil, err
	}
	found := map[int64]bool{}
	var unknown []string
	for _, b := range out.Aggregations.Classes.Buckets {
		if ocsf.ByUID(b.Key) == nil {
			unknown = append(unknown, fmt.Sprintf("%d (%d events)", b.Key, b.Rows))
			continue
		}
		found[b.Key] = true
	}
	if sh := out.Shards; sh == nil || sh.Successful < sh.Total {
		sv.say("not all shards say of which classes their events are; a class that is only in the others is not searched")
	}
	if len(unknown) > 0 {
		sv.notes = append(sv.notes, "events of classes that are not known to this version are not searched: "+some(unknown))
	}
	if n := out.Aggregations.Without.Rows; n > 0 {
		sv.say("%d events have no class_uid; they are not searched", n)
	}
	return found, nil
}

// indexQuery selects the documents of the indices of groups.
func indexQuery(groups []group) string {
	var names []string
	for _, g := range groups {
		names = append(names, g.Indices...)
	}
	text, _ := json.Marshal(names) // texts always encode
	return fmt.Sprintf(`{"terms":{"_index":%s}}`, text)
}

// counted is what one filter of the counting search says.
type counted struct {
	Rows  int64           `json:"doc_count"`
	Timed json.RawMessage `json:"timed"`
}

// extreme is the answer of a min or max aggregation.
type extreme struct {
	Value *float64 `json:"value"`
}

// count asks how many events the streams hold and of when, all in one search.
func (e *Elastic) count(ctx context.Context, st *state) error {
	if len(st.sources) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString(`{"size":0,"track_total_hits":false,"aggs":{`)
	for i := range st.sources {
		src := &st.sources[i]
		when := `{"match_all":{}}`
		if src.when != nil {
			when = string(src.when)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		var has []query
		var limits []string
		for k, name := range src.times {
			has = append(has, exists(name))
			limits = append(limits, fmt.Sprintf(`"min%d":{"min":{"field":%s}},"max%d":{"max":{"field":%s}}`, k, quote(name), k, quote(name)))
		}
		fmt.Fprintf(&b, `"%d":{"filter":{"bool":{"filter":[%s,%s]}},"aggs":{"timed":{"filter":%s,"aggs":{%s}}}}`,
			i, indexQuery(src.groups), when, anyOf(has...).json, strings.Join(limits, ","))
	}
	b.WriteString("}}")
	var out struct {
		envelope
		Aggregations map[string]counted `json:"aggregations"`
	}
	yes := true
	err := e.client.get(ctx, esapi.SearchRequest{Index: e.targets(), Body: strings.NewReader(b.String()), IgnoreUnavailable: &yes, AllowNoIndices: &yes}, &out)
	if err != nil {
		return err
	}
	complete := out.Shards != nil && out.Shards.Successful == out.Shards.Total && out.Shards.Total > 0 && !out.TimedOut &&
		(!out.Terminated || st.product.shortcuts())
	if !complete {
		st.description.Notes = append(st.description.Notes, "not all shards answer, so numbers and times of events are not known")
	}
	for i := range st.sources {
		if c, ok := out.Aggregations[fmt.Sprint(i)]; ok && complete {
			e.fill(&st.sources[i], c)
		}
	}
	return nil
}

// fill puts counts into a stream. The cluster counts times in 64-bit floats, so the range is a little wider than they say.
func (e *Elastic) fill(src *source, c counted) {
	var aggs map[string]json.RawMessage
	var withTime int64
	if json.Unmarshal(c.Timed, &aggs) != nil || json.Unmarshal(aggs["doc_count"], &withTime) != nil {
		return
	}
	if src.mapping == nil {
		src.stream.Rows = c.Rows
	}
	src.stream.Untimed = c.Rows - withTime
	var r *hunt.TimeRange
	for k := range src.times {
		var lo, hi extreme
		if json.Unmarshal(aggs[fmt.Sprint("min", k)], &lo) != nil || json.Unmarshal(aggs[fmt.Sprint("max", k)], &hi) != nil {
			return
		}
		if lo.Value == nil || hi.Value == nil {
			continue
		}
		u := int64(unitOf(src))
		at := hunt.TimeRange{Start: times(whole64(math.Nextafter(*lo.Value, math.Inf(-1))), u), End: times(whole64(math.Nextafter(*hi.Value, math.Inf(1)))+1, u)}
		if r == nil {
			r = &at
		}
		r.Start, r.End = min(r.Start, at.Start), max(r.End, at.End)
	}
	src.stream.Time = r
}

// skew asks a node for its clock; 0 if it does not say.
func (e *Elastic) skew(ctx context.Context) time.Duration {
	var out struct {
		Nodes map[string]struct {
			Timestamp int64 `json:"timestamp"`
		} `json:"nodes"`
	}
	before := time.Now()
	req := raw{method: http.MethodGet, path: "_nodes/_local/stats/os", query: url.Values{"filter_path": {"nodes.*.timestamp"}}}
	if e.client.get(ctx, req, &out) != nil {
		return 0 // the credential may not ask
	}
	now := time.Now()
	for _, n := range out.Nodes {
		at := time.UnixMilli(n.Timestamp)
		switch {
		case at.Sub(now) > time.Second:
			return at.Sub(now).Round(time.Millisecond)
		case at.Sub(before) < -time.Second-now.Sub(before): // the node keeps its figures for a second
			return at.Sub(before).Round(time.Millisecond)
		}
	}
	return 0
}

// privileges finds out what the credential may not do. Clusters leave indices that it may not read out of patterns without a word.
func (e *Elastic) privileges(ctx context.Context, sv *survey) {
	if sv.product.name != productElasticsearch {
		return // what it may not do shows when it is tried
	}
	body, _ := json.Marshal(map[string]any{"index": []map[string]any{{"names": e.targets(), "privileges": []string{"read", "view_index_metadata"}}}})
	var out struct {
		Index map[string]map[string]bool `json:"index"`
	}
	if e.client.get(ctx, raw{method: http.MethodPost, path: "_security/user/_has_privileges", body: body}, &out) != nil {
		return // security is off
	}
	for _, name := range slices.Sorted(maps.Keys(out.Index)) {
		for _, action := range slices.Sorted(maps.Keys(out.Index[name])) {
			if out.Index[name][action] {
				continue
			}
			text := "the credential may not " + action + " all of " + name + "; indices that it may not read are left out without a trace: grant it " + action + " on " + name
			sv.denied = append(sv.denied, hunt.Denial{Action: action, Object: name, Message: text})
			if action == "read" {
				sv.say("%s", text)
			}
		}
	}
}
