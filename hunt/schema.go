package hunt

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// ArrowType returns the Arrow type of a column's values.
func ArrowType(t ocsf.Type) arrow.DataType {
	switch t {
	case ocsf.Float:
		return arrow.PrimitiveTypes.Float64
	case ocsf.Boolean:
		return arrow.FixedWidthTypes.Boolean
	case ocsf.Time:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case ocsf.IP:
		return &arrow.FixedSizeBinaryType{ByteWidth: 16}
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		return arrow.PrimitiveTypes.Int64
	}
	return arrow.BinaryTypes.String
}

// Schema returns the Arrow schema of batches of class with the columns at paths: uid and time first, then the others by name. A path
// inside an array of objects brings the whole array. Paths that the class lacks are left out; the planner has refused them before.
func Schema(class *ocsf.Class, paths []string) *arrow.Schema {
	names := []string{}
	for _, p := range paths {
		if p == ocsf.ColUID || p == ocsf.ColTime || class.Column(p) == nil {
			continue
		}
		names = append(names, class.Physical(p))
	}
	slices.Sort(names)
	fields := []arrow.Field{Field(class, ocsf.ColUID), Field(class, ocsf.ColTime)}
	for _, n := range slices.Compact(names) {
		fields = append(fields, Field(class, n))
	}
	return arrow.NewSchema(fields, nil)
}

// Field returns the Arrow field of the physical column name: a value, or an array of objects.
func Field(class *ocsf.Class, name string) arrow.Field {
	if list := class.List(name); len(list) > 0 {
		subs := make([]arrow.Field, len(list))
		for i, c := range list {
			subs[i] = arrow.Field{Name: c.Leaf(), Type: ArrowType(c.Type), Nullable: true}
		}
		return arrow.Field{Name: name, Type: arrow.ListOf(arrow.StructOf(subs...)), Nullable: true}
	}
	return arrow.Field{Name: name, Type: ArrowType(class.Column(name).Type), Nullable: name != ocsf.ColUID}
}
