package mapping

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Set is a compiled list of mappings. The first mapping that takes a record maps it. It is safe for concurrent use.
type Set struct {
	mappings []*Mapping
	slots    map[string]int // native field -> slot
	trie     *trie
}

// Mapping is one compiled mapping file.
type Mapping struct {
	Name  string
	About string

	set    *Set
	file   *File
	match  []conjunction
	rules  []*rule
	ignore map[string]bool
	consts map[string]*fieldRef // canonical native fields
}

// fieldRef is a native field with its other spellings and the texts that mean absent in it.
type fieldRef struct {
	name    string
	slots   []int
	missing words
}

// rule is one compiled rule.
type rule struct {
	match    []conjunction
	class    *ocsf.Class
	ops      []*op // by column path
	consumed map[string]bool
	source   Rule
}

type conjunction []*test

// test is one condition on a native field.
type test struct {
	ref  *fieldRef
	cond Condition
	set  words
	not  words
	re   *regexp.Regexp
}

// op fills one column.
type op struct {
	col    *ocsf.Column
	spec   *Spec
	from   []*fieldRef
	via    transform
	split  splitter
	fixed  value           // of a constant
	absent value           // if the native fields are missing
	slot   int             // of an array: which element, -1 for one per item
	table  *ocsf.EnumTable // of hashes: the algorithms
	hashes bool            // fills algorithm_id and value of an array of fingerprints
	strict bool            // a native value that gives no value is no value of the column, and is counted
	lazy   bool            // a constant that does not make its object
	beside []*op           // the ops of the same object, for lazy
}

// Compile compiles mapping files. The error is a *hunt.Error with code BAD_CONFIG that names the mapping, line and column.
func Compile(files ...*File) (*Set, error) {
	s := &Set{slots: map[string]int{}, trie: newTrie()}
	for _, f := range files {
		m, err := s.compile(f)
		if err != nil {
			return nil, err
		}
		s.mappings = append(s.mappings, m)
	}
	return s, nil
}

// Mappings returns the mappings of the set, in order.
func (s *Set) Mappings() []*Mapping { return s.mappings }

func (s *Set) compile(f *File) (*Mapping, error) {
	m := &Mapping{Name: f.Mapping, About: f.About, set: s, file: f, ignore: setOf(f.Ignore), consts: map[string]*fieldRef{}}
	for _, name := range f.Flatten {
		k := s.trie.kid(name)
		k.flat = true
	}
	var err error
	if m.match, err = m.conditions(f.Match); err != nil {
		return nil, err
	}
	for _, r := range f.Rules {
		compiled, err := m.rule(r)
		if err != nil {
			return nil, err
		}
		m.rules = append(m.rules, compiled)
	}
	return m, nil
}

func setOf(list []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range list {
		out[strings.ToLower(s)] = true
	}
	return out
}

// ref returns the native field, with a slot for each of its spellings.
func (m *Mapping) ref(name string) *fieldRef {
	if r := m.consts[name]; r != nil {
		return r
	}
	r := &fieldRef{name: name, missing: wordsOf([]string{"-"})}
	if !slices.Contains(m.file.MissingExcept, name) {
		r.missing = wordsOf(append([]string{"-", "(empty)"}, m.file.Missing...))
	}
	for _, spelling := range append([]string{name}, m.file.Aliases[name]...) {
		r.slots = append(r.slots, m.set.addSlot(spelling))
	}
	m.consts[name] = r
	return r
}

func (s *Set) addSlot(name string) int {
	if i, ok := s.slots[name]; ok {
		return i
	}
	i := len(s.slots)
	s.slots[name] = i
	s.trie.insert(name, i)
	return i
}

func (m *Mapping) conditions(c Conditions) ([]conjunction, error) {
	var out []conjunction
	for _, alternative := range c {
		var all conjunction
		for _, name := range slices.Sorted(maps.Keys(alternative)) {
			t, err := m.test(name, alternative[name])
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
		out = append(out, all)
	}
	return out, nil
}

func (m *Mapping) test(name string, c Condition) (*test, error) {
	t := &test{ref: m.ref(name), cond: c, set: wordsOf(c.Values), not: wordsOf(c.Not)}
	if c.Re == "" {
		return t, nil
	}
	re, err := regexp.Compile("(?is)" + c.Re)
	if err != nil {
		return t, errorAt(m.file, nil, "match %s: %v", name, err)
	}
	t.re = re
	return t, nil
}

func (m *Mapping) rule(r Rule) (*rule, error) {
	class := ocsf.ByName(r.Class)
	if class == nil {
		return nil, errorAt(m.file, nil, "rule for %q: no such class; use base_event for records without a typed class", r.Class)
	}
	match, err := m.conditions(r.Match)
	if err != nil {
		return nil, err
	}
	out := &rule{match: match, class: class, consumed: map[string]bool{}, source: r}
	for _, c := range append(slices.Clone(m.file.Match), r.Match...) {
		m.consume(out, slices.Collect(maps.Keys(c)))
	}
	specs := maps.Clone(m.file.Columns)
	if specs == nil {
		specs = map[string]*Spec{}
	}
	maps.Copy(specs, r.Columns)
	for _, path := range slices.Sorted(maps.Keys(specs)) {
		if err := m.addOp(out, path, specs[path], r.Columns[path] != nil); err != nil {
			return nil, err
		}
	}
	out.link()
	return out, nil
}

// addOp compiles one column of a rule. A shared column that the class does not type is left out; one of the rule itself is an error.
func (m *Mapping) addOp(r *rule, path string, s *Spec, own bool) error {
	if s == nil {
		return nil
	}
	col, slot, hashes := column(r.class, path, s)
	if col == nil {
		if own {
			return errorAt(m.file, s, "%s has no column %s", r.class.Name, path)
		}
		return nil
	}
	o, err := m.compileOp(col, s)
	if err != nil {
		return errorAt(m.file, s, "%s: %v", path, err)
	}
	o.slot, o.hashes = slot, hashes
	if hashes {
		o.table = ocsf.ByUID(ocsf.ProcessActivity).Column("process.file.hashes.algorithm_id").Enum
	}
	r.ops = append(r.ops, o)
	m.consume(r, s.From)
	return nil
}

// consume notes that a rule reads native fields, in all their spellings; of a path into an array the whole array.
func (m *Mapping) consume(r *rule, names []string) {
	for _, name := range names {
		for _, spelling := range append([]string{name}, m.file.Aliases[name]...) {
			array, _, _ := strings.Cut(spelling, "[")
			r.consumed[array] = true
		}
	}
}

// column finds the column of a path in a mapping file: `answers[].rdata`, `evidences[0].src_endpoint.ip`, `file.hashes` via hashes.
func column(class *ocsf.Class, path string, s *Spec) (col *ocsf.Column, slot int, hashes bool) {
	if s.Via == "hashes" {
		return class.Column(path + ".value"), -1, true
	}
	slot = -1
	if before, after, ok := strings.Cut(path, "["); ok {
		n, rest, _ := strings.Cut(after, "]")
		if n != "" {
			if _, err := fmt.Sscanf(n, "%d", &slot); err != nil {
				return nil, 0, false
			}
		}
		path = before + rest
	}
	return class.Column(path), slot, false
}

func (m *Mapping) compileOp(col *ocsf.Column, s *Spec) (*op, error) {
	o := &op{col: col, spec: s}
	var err error
	if s.Const != nil {
		if o.fixed, err = constant(col, s.Const); err != nil {
			return nil, err
		}
		o.lazy = strings.Contains(col.Path, ".") && !strings.HasPrefix(col.Path, "metadata.") && !s.Always
		return o, nil
	}
	if len(s.From) == 0 {
		return nil, fmt.Errorf("neither `from` nor `const`")
	}
	for _, name := range s.From {
		o.from = append(o.from, m.ref(name))
	}
	if o.absent, err = optional(col, s.Absent); err != nil {
		return nil, err
	}
	o.strict = slices.Contains([]string{"int", "int32", "ms", "time", "bool", "float", "ip"}, s.Via)
	return o, o.compileVia(s, col)
}

func (o *op) compileVia(s *Spec, col *ocsf.Column) error {
	var err error
	switch s.Via {
	case "split":
		o.split, err = splitOf(s)
	case "hashes":
	default:
		o.via, err = transformOf(s, col)
	}
	return err
}

// link tells every lazy op which ops fill the same object.
func (r *rule) link() {
	for _, o := range r.ops {
		if !o.lazy && o.absent.kind == noValue {
			continue
		}
		at := strings.LastIndexByte(o.col.Path, '.')
		for _, other := range r.ops {
			if at > 0 && other != o && !other.lazy && strings.HasPrefix(other.col.Path, o.col.Path[:at+1]) {
				o.beside = append(o.beside, other)
			}
		}
	}
}

// take says whether the record that the decoder holds satisfies the conditions.
func holds(d *Decoder, alternatives []conjunction) bool {
	if len(alternatives) == 0 {
		return true
	}
	return slices.ContainsFunc(alternatives, d.all)
}

// all says whether every test of a conjunction holds.
func (d *Decoder) all(c conjunction) bool {
	for _, t := range c {
		if !t.holds(d) {
			return false
		}
	}
	return true
}

func (t *test) holds(d *Decoder) bool {
	n := d.raw1(t.ref)
	there := n.kind != absent
	switch {
	case t.cond.Exists != nil:
		return (there && !isNothing(n)) == *t.cond.Exists
	case t.re != nil:
		return there && t.re.Match(n.str())
	case len(t.not.list) > 0:
		return !there || !t.not.holds(n)
	}
	return there && t.set.holds(n)
}

// holds says whether the set has the value, or one of a list.
func (w *words) holds(n native) bool {
	if n.kind == list {
		return slices.ContainsFunc(n.items, func(item native) bool { return item.kind != absent && w.has(item.str()) })
	}
	return w.has(n.str())
}

func isNothing(n native) bool {
	if n.kind != text {
		return false
	}
	s := string(n.text)
	return s == "" || s == "-" || s == "(empty)"
}

// raw1 returns the first spelling of a field that is there.
func (d *Decoder) raw1(r *fieldRef) native {
	for _, s := range r.slots {
		if d.slots[s].kind != absent {
			return d.slots[s]
		}
	}
	return native{}
}

// get returns the field unless its value is one of the source's words for absent.
func (d *Decoder) get(r *fieldRef) native {
	n := d.raw1(r)
	if n.kind == absent || n.empty() || n.kind == text && r.missing.has(bytes.TrimSpace(n.text)) {
		return native{}
	}
	return n
}

// Match finds the mapping and the rule of the record that the decoder holds; nil if no mapping takes it.
func (d *Decoder) Match() *Match {
	for _, m := range d.set.mappings {
		if !holds(d, m.match) {
			continue
		}
		for _, r := range m.rules {
			if holds(d, r.match) {
				return &Match{Mapping: m, Class: r.class, rule: r}
			}
		}
	}
	return nil
}

// Match is what maps a record.
type Match struct {
	Mapping *Mapping
	Class   *ocsf.Class
	rule    *rule
}

// Only returns a set of the one mapping of that name.
func (s *Set) Only(name string) (*Set, error) {
	for _, m := range s.mappings {
		if m.Name == name {
			return Compile(m.file)
		}
	}
	return nil, fmt.Errorf("no mapping %q", name)
}
