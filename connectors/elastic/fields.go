package elastic

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/harrier-xdr/harrier/hunt"
)

// This file reads what a cluster says about the fields of its indices. Mappings of clusters have tens of thousands of fields, and
// most indices of a stream have the same one, so a mapping is parsed once however many indices have it, and only the fields that a
// search can ask for are kept.

// answers are what a cluster says about some indices.
type answers struct {
	Mapping  []byte // of GET {indices}/_mapping
	Caps     []byte // of GET {indices}/_field_caps?fields=..., nil if it was not asked
	Settings []byte // of GET {indices}/_settings (flat or not), nil if it was not asked; index.mapping.* is what is looked at
}

// mostFields bounds how many wanted fields of one mapping are kept, flattened keys included.
const mostFields = 20_000

// readGroups groups the indices of a by what they say about the wanted fields (dotted names). ignored says that the product lists in
// _ignored the fields whose value it left out. The groups are sorted by their first index. The error is a *hunt.Error with code
// SOURCE_FAILED: what the cluster sent is no answer of that kind.
func readGroups(a answers, wanted []string, ignored bool) ([]group, error) {
	r := &fieldReader{wanted: map[string]bool{}, above: map[string]bool{}, parsed: map[[32]byte]*indexFields{}, ignored: ignored}
	r.want(wanted)
	var err error
	if r.settings, err = readSettings(a.Settings); err != nil {
		return nil, err
	}
	if r.caps, err = r.readCaps(a.Caps); err != nil {
		return nil, err
	}
	byKey := map[string]*group{}
	err = eachMember(a.Mapping, func(index string, body json.RawMessage) error { return r.index(byKey, index, body) })
	if err != nil {
		return nil, &hunt.Error{Op: "elastic: fields", Code: hunt.SourceFailed, Message: "the cluster's answer to _mapping cannot be read: " + err.Error(), Cause: err}
	}
	return sortedGroups(byKey), nil
}

func sortedGroups(byKey map[string]*group) []group {
	var out []group
	for _, g := range byKey {
		slices.Sort(g.Indices)
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b group) int { return strings.Compare(a.Indices[0], b.Indices[0]) })
	return out
}

// eachMember calls visit for every member of a JSON object, without holding more than one of them parsed.
func eachMember(text []byte, visit func(string, json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("it is no JSON object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var body json.RawMessage
		if err := d.Decode(&body); err != nil {
			return err
		}
		if err := visit(fmt.Sprint(key), body); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// fieldReader reads the fields of indices.
type fieldReader struct {
	wanted   map[string]bool
	above    map[string]bool // objects that wanted fields lie in
	parsed   map[[32]byte]*indexFields
	settings map[string]indexSettings
	caps     map[string]*searchable
	ignored  bool
}

func (r *fieldReader) want(names []string) {
	for _, name := range names {
		r.wanted[name] = true
		for i := range len(name) {
			if name[i] == '.' {
				r.above[name[:i]] = true
			}
		}
	}
}

// index puts an index into its group.
func (r *fieldReader) index(byKey map[string]*group, index string, body []byte) error {
	settings := r.settings[index]
	sum := sha256.Sum256(fmt.Appendf(nil, "%v %s", settings, body))
	have := r.parsed[sum]
	if have == nil {
		var err error
		if have, err = r.parse(body, settings); err != nil {
			return fmt.Errorf("index %s: %w", index, err)
		}
		r.parsed[sum] = have
	}
	fields := r.capped(index, have)
	key := groupKey(fields, have.opaque)
	g := byKey[key]
	if g == nil {
		g = &group{Fields: fields, Opaque: have.opaque, Ignored: r.ignored}
		byKey[key] = g
	}
	g.Indices = append(g.Indices, index)
	return nil
}

func groupKey(fields map[string]field, opaque []string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, "%q %+v\n", name, fields[name])
	}
	fmt.Fprintf(&b, "%q", opaque)
	return b.String()
}

// indexFields are the wanted fields of one mapping.
type indexFields struct {
	fields map[string]field
	opaque []string
}

// mappingWalk is the state of reading one mapping.
type mappingWalk struct {
	*fieldReader
	out      *indexFields
	settings indexSettings
	aliases  map[string]string
}

func (r *fieldReader) parse(body []byte, settings indexSettings) (*indexFields, error) {
	var p fastjson.Parser
	v, err := p.ParseBytes(body)
	if err != nil {
		return nil, err
	}
	root := v.Get("mappings")
	if root == nil || root.Type() != fastjson.TypeObject {
		return nil, fmt.Errorf("it has no mappings")
	}
	w := &mappingWalk{fieldReader: r, out: &indexFields{fields: map[string]field{}}, settings: settings, aliases: map[string]string{}}
	w.object(root, place{})
	w.runtime(root.GetObject("runtime"))
	w.resolve()
	slices.Sort(w.out.opaque)
	w.out.opaque = slices.Compact(w.out.opaque)
	return w.out, nil
}

// place is where in a mapping a field stands.
type place struct {
	path   string // of the object
	nested string // path of the innermost nested object around it
	hidden bool   // the object takes fields that the mapping does not list
}

func (p place) below(name string) string {
	if p.path == "" {
		return name
	}
	return p.path + "." + name
}

// object reads the fields of an object, or of the whole document.
func (w *mappingWalk) object(v *fastjson.Value, at place) {
	switch text(v.Get("dynamic")) {
	case "false", "false_allow_templates":
		at.hidden = true
	case "true", "strict", "strict_allow_templates", "runtime":
		at.hidden = false
	}
	if text(v.Get("enabled")) == "false" {
		w.out.opaque = append(w.out.opaque, at.path)
		return
	}
	if at.hidden {
		w.out.opaque = append(w.out.opaque, at.path)
	}
	if kids := v.GetObject("properties"); kids != nil {
		kids.Visit(func(key []byte, kid *fastjson.Value) { w.property(string(key), kid, at) })
	}
}

// text is the text of a scalar, "" if v is none.
func text(v *fastjson.Value) string {
	if v == nil {
		return ""
	}
	switch v.Type() {
	case fastjson.TypeString:
		return string(v.GetStringBytes())
	case fastjson.TypeTrue, fastjson.TypeFalse, fastjson.TypeNumber:
		return string(v.MarshalTo(nil))
	}
	return ""
}

func (w *mappingWalk) property(name string, v *fastjson.Value, at place) {
	path := at.below(name)
	kind := text(v.Get("type"))
	if !w.wanted[path] && !w.above[path] {
		return
	}
	switch {
	case kind == "flattened" || kind == "flat_object":
		w.flattened(path, kind, v, at)
	case kind == "nested":
		w.object(v, place{path: path, nested: path, hidden: at.hidden})
		w.whole(path, v, place{path: path, nested: path})
	case kind == "" || kind == "object":
		w.object(v, place{path: path, nested: at.nested, hidden: at.hidden})
		w.whole(path, v, place{path: path, nested: at.nested})
	case kind == "alias":
		w.aliases[path] = text(v.Get("path"))
	case w.wanted[path]:
		w.keep(path, w.leaf(path, v, at))
	}
}

// mostKids is how many values an object may hold to be asked as a whole.
const mostKids = 32

// whole keeps an object that is wanted itself, and the values in it.
func (w *mappingWalk) whole(path string, v *fastjson.Value, at place) {
	if !w.wanted[path] {
		return
	}
	f := field{Name: path, Type: "object", Nested: at.nested, Searchable: true, Why: "the index has " + path + " as an object"}
	kids, flat := v.GetObject("properties"), true
	if kids != nil && kids.Len() <= mostKids {
		kids.Visit(func(key []byte, kid *fastjson.Value) {
			name := at.below(string(key))
			if kid.Exists("properties") || kindOf(text(kid.Get("type"))) == kindNone {
				flat = false
				return
			}
			f.Kids = append(f.Kids, name)
			w.keep(name, w.leaf(name, kid, at))
		})
	}
	slices.Sort(f.Kids)
	if !flat {
		f.Kids = nil
	}
	w.keep(path, f)
}

func (w *mappingWalk) keep(name string, f field) {
	if len(w.out.fields) < mostFields {
		w.out.fields[name] = f
	}
}

// flattened makes the wanted keys below a flattened field ones.
func (w *mappingWalk) flattened(path, kind string, v *fastjson.Value, at place) {
	f := field{Kind: kindFlattened, Type: kind, Nested: at.nested, Searchable: text(v.Get("index")) != "false", IgnoreAbove: number(v.Get("ignore_above"))}
	for name := range w.wanted {
		if name == path || strings.HasPrefix(name, path+".") {
			f.Name = name
			w.keep(name, f)
		}
	}
}

func number(v *fastjson.Value) int {
	n, err := strconv.Atoi(text(v))
	if err != nil || n < 0 || n > 1<<30 {
		return 0
	}
	return n
}

// kinds are the field types that can be asked as they are.
func kindOf(name string) kind {
	switch name {
	case "keyword":
		return kindKeyword
	case "wildcard":
		return kindWildcard
	case "constant_keyword":
		return kindConstant
	case "text", "match_only_text":
		return kindText
	case "ip":
		return kindIP
	case "byte", "short", "integer", "long":
		return kindInteger
	case "double":
		return kindDouble
	case "float", "half_float", "scaled_float", "unsigned_long":
		return kindInexact
	case "boolean":
		return kindBoolean
	case "date":
		return kindDate
	case "date_nanos":
		return kindDateNanos
	}
	return kindNone
}

// leaf reads one field; of analysed text the sub-field that holds whole values, if there is one.
func (w *mappingWalk) leaf(path string, v *fastjson.Value, at place) field {
	f := w.plain(path, v, at)
	subs := v.GetObject("fields")
	if subs == nil {
		return f
	}
	best := f
	subs.Visit(func(key []byte, sub *fastjson.Value) {
		s := w.plain(path+"."+string(key), sub, at)
		switch {
		case !s.Searchable:
		case whole(s.Kind) && !whole(best.Kind):
			best = s
		case whole(s.Kind) && s.Kind == best.Kind && wider(s, best):
			best = s
		}
	})
	if f.Kind != kindText && f.Kind != kindNone {
		best = f
	}
	subs.Visit(func(key []byte, sub *fastjson.Value) {
		s := w.plain(path+"."+string(key), sub, at)
		if s.Kind == kindNormalized && s.Searchable && best.Kind == kindKeyword && !wider(best, s) {
			best.Lower = s.Name
		}
	})
	return best
}

// whole says whether a field holds whole texts.
func whole(k kind) bool { return k == kindKeyword || k == kindWildcard }

// wider says whether a leaves out fewer values than b, or is the first of two that leave out the same.
func wider(a, b field) bool {
	if a.IgnoreAbove == b.IgnoreAbove {
		return false
	}
	return a.IgnoreAbove == 0 || b.IgnoreAbove != 0 && a.IgnoreAbove > b.IgnoreAbove
}

// plain reads one field without its sub-fields.
func (w *mappingWalk) plain(path string, v *fastjson.Value, at place) field {
	name := text(v.Get("type"))
	f := field{Name: path, Kind: kindOf(name), Type: name, Nested: at.nested, IgnoreAbove: number(v.Get("ignore_above"))}
	f.Searchable = text(v.Get("index")) != "false"
	switch f.Kind {
	case kindNone:
		f.Why = "the index has " + path + " as " + shown(name) + ", which is not asked"
	case kindKeyword:
		w.keyword(&f, v)
	case kindWildcard:
	case kindText, kindConstant:
		f.IgnoreAbove = 0
	default:
		f.IgnoreAbove = 0
		f.Malformed = w.settings.malformed
		if own := text(v.Get("ignore_malformed")); own != "" {
			f.Malformed = own == "true"
		}
	}
	if v.Exists("script") {
		f.Kind, f.Why = kindNone, "the index computes "+path+" by a script"
	}
	if !f.Searchable {
		f.Why = "the index holds " + path + " but does not index it"
	}
	return f
}

// shown is a name that the cluster chose, cut.
func shown(name string) string {
	const most = 40
	if len(name) > most {
		name = name[:most]
	}
	return strconv.Quote(name)
}

func (w *mappingWalk) keyword(f *field, v *fastjson.Value) {
	switch normalizer := text(v.Get("normalizer")); normalizer {
	case "":
	case "lowercase":
		f.Kind = kindNormalized
	default:
		f.Kind, f.Why = kindNone, "the index changes "+f.Name+" by its own normalizer "+shown(normalizer)
	}
	if f.IgnoreAbove == 0 {
		f.IgnoreAbove = w.settings.ignoreAbove
	}
	if most := 1<<31 - 1; f.IgnoreAbove >= most {
		f.IgnoreAbove = 0
	}
}

// runtime reads the fields that are computed at the time of a search.
func (w *mappingWalk) runtime(o *fastjson.Object) {
	if o == nil {
		return
	}
	o.Visit(func(key []byte, v *fastjson.Value) {
		if path := string(key); w.wanted[path] {
			w.keep(path, field{Name: path, Kind: kindOf(text(v.Get("type"))), Type: text(v.Get("type")), Runtime: true, Searchable: true,
				Why: "the index computes " + path + " at the time of the search"})
		}
	})
}

// resolve makes every alias what it stands for, if that is a wanted field; others cannot be asked.
func (w *mappingWalk) resolve() {
	for name, target := range w.aliases {
		if !w.wanted[name] {
			continue
		}
		f, ok := w.out.fields[target]
		if !ok {
			f = field{Name: name, Type: "alias", Why: "the index has " + name + " as another name of " + shown(target) + ", which is not asked"}
		}
		w.keep(name, f)
	}
}

// indexSettings are the settings of an index that say what it leaves out.
type indexSettings struct {
	malformed   bool
	ignoreAbove int
}

// readSettings reads index.mapping.ignore_malformed and index.mapping.ignore_above of every index.
func readSettings(body []byte) (map[string]indexSettings, error) {
	out := map[string]indexSettings{}
	if len(body) == 0 {
		return out, nil
	}
	err := eachMember(body, func(index string, raw json.RawMessage) error {
		var p fastjson.Parser
		v, err := p.ParseBytes(raw)
		if err != nil {
			return err
		}
		get := func(name string) *fastjson.Value {
			for _, path := range [][]string{{"settings", "index", "mapping", name}, {"settings", "index.mapping." + name},
				{"defaults", "index", "mapping", name}, {"defaults", "index.mapping." + name}} {
				if found := v.Get(path...); found != nil {
					return found
				}
			}
			return nil
		}
		out[index] = indexSettings{malformed: text(get("ignore_malformed")) == "true", ignoreAbove: number(get("ignore_above"))}
		return nil
	})
	if err != nil {
		return nil, &hunt.Error{Op: "elastic: fields", Code: hunt.SourceFailed, Message: "the cluster's answer to _settings cannot be read: " + err.Error(), Cause: err}
	}
	return out, nil
}

// searchable is what _field_caps says of one field.
type searchable struct {
	all    bool            // of every index that is not in except
	except map[string]bool // of these the opposite
}

// readCaps reads which fields can be searched where; nil if that was not asked.
func (r *fieldReader) readCaps(body []byte) (map[string]*searchable, error) {
	if len(body) == 0 {
		return nil, nil
	}
	out := map[string]*searchable{}
	err := eachMember(body, func(key string, raw json.RawMessage) error {
		if key != "fields" {
			return nil
		}
		return eachMember(raw, func(name string, types json.RawMessage) error {
			s, err := readSearchable(types)
			out[name] = s
			return err
		})
	})
	if err != nil {
		return nil, &hunt.Error{Op: "elastic: fields", Code: hunt.SourceFailed, Message: "the cluster's answer to _field_caps cannot be read: " + err.Error(), Cause: err}
	}
	return out, nil
}

func readSearchable(raw []byte) (*searchable, error) {
	var types map[string]struct {
		Searchable bool     `json:"searchable"`
		Indices    []string `json:"indices"`
		Not        []string `json:"non_searchable_indices"`
	}
	if err := json.Unmarshal(raw, &types); err != nil {
		return nil, err
	}
	s := &searchable{all: true, except: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		t := types[name]
		switch {
		case t.Searchable || name == "unmapped":
		case len(t.Not) > 0:
			s.exclude(t.Not)
		case len(t.Indices) > 0:
			s.exclude(t.Indices)
		default:
			s.all = false
		}
	}
	return s, nil
}

func (s *searchable) exclude(indices []string) {
	for _, i := range indices {
		s.except[i] = true
	}
}

// capped returns the fields of an index with what _field_caps says of them: that is right about fields that have no index but values
// by document, which newer clusters can search.
func (r *fieldReader) capped(index string, have *indexFields) map[string]field {
	out, copied := have.fields, false
	for name, f := range have.fields {
		c := r.caps[f.Name]
		if c == nil || f.Runtime || f.Kind == kindFlattened {
			continue
		}
		can := c.all && !c.except[index]
		if can == f.Searchable {
			continue
		}
		if !copied {
			out, copied = maps.Clone(have.fields), true
		}
		f.Searchable = can
		if f.Why = ""; !can {
			f.Why = "the index holds " + f.Name + " but does not index it"
		}
		out[name] = f
	}
	return out
}
