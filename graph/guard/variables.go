package guard

import (
	"reflect"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Variables checks the nesting and the number of values of variables, raw or coerced: any
// mix of maps, slices and scalars. Coercion recurses as deep as they nest. The error is a
// *gqlerror.Error with code QUERY_TOO_COMPLEX and never holds a value.
func Variables(v any, limits Limits) error {
	if err := limits.variables(v); err != nil {
		return err
	}
	return nil
}

func (l Limits) variables(v any) *gqlerror.Error {
	m := measure{limits: l}
	if m.value(v, 1) {
		return nil
	}
	return exceeded(m.broken, nil)
}

// measure counts values. Its recursion ends at Limits.VariableDepth, so a cyclic value
// ends too.
type measure struct {
	limits Limits
	values int
	broken excess
}

func (m *measure) value(v any, depth int) bool {
	m.values++
	if m.values > m.limits.VariableValues {
		m.broken = excess{"values in variables", m.limits.VariableValues, m.values}
		return false
	}
	switch v := v.(type) {
	case map[string]any:
		return m.object(v, depth)
	case []any:
		return m.list(v, depth)
	case nil, string, bool, int64, float64:
		return true
	}
	return m.reflected(reflect.ValueOf(v), depth)
}

func (m *measure) enter(depth int) bool {
	if depth > m.limits.VariableDepth {
		m.broken = excess{"depth of variables", m.limits.VariableDepth, depth}
		return false
	}
	return true
}

func (m *measure) object(v map[string]any, depth int) bool {
	if !m.enter(depth) {
		return false
	}
	for _, x := range v {
		if !m.value(x, depth+1) {
			return false
		}
	}
	return true
}

func (m *measure) list(v []any, depth int) bool {
	if !m.enter(depth) {
		return false
	}
	for _, x := range v {
		if !m.value(x, depth+1) {
			return false
		}
	}
	return true
}

// reflected handles the typed slices and maps that coercion makes, such as []string.
func (m *measure) reflected(v reflect.Value, depth int) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		if !m.enter(depth) {
			return false
		}
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if !m.value(v.Index(i).Interface(), depth+1) {
				return false
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if !m.value(it.Value().Interface(), depth+1) {
				return false
			}
		}
	}
	return true
}
