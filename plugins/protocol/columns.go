package protocol

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Numbers of Arrow's flatbuffers (format/Message.fbs and format/Schema.fbs of the Arrow project): fields of tables by position, and
// members of unions and enums.
const (
	messageVersion, messageHeaderType, messageHeader, messageBodyLength = 0, 1, 2, 3
	headerSchema, headerRecordBatch                                     = 1, 3
	versionV4, versionV5                                                = 3, 4

	schemaEndianness, schemaFields = 0, 1

	fieldName, fieldTypeType, fieldType, fieldDictionary, fieldChildren = 0, 2, 3, 4, 5

	typeInt, typeFloat, typeUtf8, typeBool, typeTimestamp = 2, 3, 5, 6, 10
	typeList, typeStruct, typeFixedBinary                 = 12, 13, 15
	precisionDouble, unitMicrosecond                      = 2, 2
)

// Bounds of schemas. No class comes near them.
const (
	maxSchema = 1 << 20
	maxFields = 4096
)

// openMessage reads the head of an Arrow IPC message and returns its header, which must be of kind.
func openMessage(f *flat, kind byte) (message, header table, err error) {
	message = f.root()
	if v := message.i16(messageVersion); v != versionV4 && v != versionV5 {
		return message, header, broken("an Arrow message has the metadata version %d; versions 4 and 5 are known", v+1)
	}
	if got := message.u8(messageHeaderType); got != kind {
		return message, header, broken("an Arrow message has a header of kind %d where %d belongs", got, kind)
	}
	return message, message.sub(messageHeader), nil
}

// decodeSchema reads the schema of a request's batches and checks it against the class: every column is one of the class, of its type,
// and what was asked for is there. The result has the fields in the order of the message and the types of hunt.Field.
func decodeSchema(message []byte, r *hunt.Request) (*arrow.Schema, error) {
	if len(message) > maxSchema {
		return nil, broken("a schema has %d bytes; %d are the most", len(message), maxSchema)
	}
	d := schemaReader{f: &flat{buf: message}, left: maxFields}
	_, header, err := openMessage(d.f, headerSchema)
	if err != nil {
		return nil, err
	}
	if header.i16(schemaEndianness) != 0 {
		return nil, broken("a schema is big endian")
	}
	parsed, err := d.fields(header, schemaFields)
	if err != nil {
		return nil, err
	}
	return checkSchema(parsed, r)
}

func checkSchema(parsed []arrow.Field, r *hunt.Request) (*arrow.Schema, error) {
	seen := map[string]bool{}
	fields := make([]arrow.Field, len(parsed))
	for i, p := range parsed {
		if !isColumn(r.Class, p.Name) || seen[p.Name] {
			return nil, broken("a batch has the column %q, which %s lacks or which is there twice", p.Name, r.Class.Name)
		}
		seen[p.Name] = true
		fields[i] = hunt.Field(r.Class, p.Name)
		if !arrow.TypeEqual(p.Type, fields[i].Type) {
			return nil, broken("column %s of a batch is %s; it must be %s", p.Name, p.Type, fields[i].Type)
		}
	}
	for _, path := range append([]string{ocsf.ColUID, ocsf.ColTime}, r.Columns...) {
		if name := r.Class.Physical(path); !seen[name] {
			return nil, broken("a batch lacks the column %s", name)
		}
	}
	return arrow.NewSchema(fields, nil), nil
}

// isColumn says whether a class has a physical column of that name.
func isColumn(class *ocsf.Class, name string) bool {
	if name == "" {
		return false
	}
	col := class.Column(name)
	return col != nil && col.List == "" || len(class.List(name)) > 0
}

// schemaReader reads fields; left is how many it will still read.
type schemaReader struct {
	f    *flat
	left int
}

// fields reads the vector of fields that field i of a table holds.
func (d *schemaReader) fields(t table, i int) ([]arrow.Field, error) {
	at, n := t.vector(i, 4)
	if d.left -= n; d.left < 0 {
		return nil, broken("a schema has more than %d fields", maxFields)
	}
	out := make([]arrow.Field, n)
	for k := range out {
		field := d.f.table(d.f.follow(at + 4*k))
		out[k] = arrow.Field{Name: field.text(fieldName), Nullable: true}
		if d.f.bad {
			return nil, broken("a schema is damaged")
		}
		var err error
		if out[k].Type, err = d.dataType(field); err != nil {
			return nil, err
		}
	}
	if d.f.bad {
		return nil, broken("a schema is damaged")
	}
	return out, nil
}

// dataType reads the type of a field: one of those that columns have.
func (d *schemaReader) dataType(field table) (arrow.DataType, error) {
	if field.sub(fieldDictionary).present {
		return nil, broken("column %q is encoded by a dictionary", field.text(fieldName))
	}
	t := field.sub(fieldType)
	switch kind := field.u8(fieldTypeType); {
	case kind == typeInt && t.i32(0) == 64 && t.u8(1) == 1:
		return arrow.PrimitiveTypes.Int64, nil
	case kind == typeFloat && t.i16(0) == precisionDouble:
		return arrow.PrimitiveTypes.Float64, nil
	case kind == typeUtf8:
		return arrow.BinaryTypes.String, nil
	case kind == typeBool:
		return arrow.FixedWidthTypes.Boolean, nil
	case kind == typeTimestamp && t.i16(0) == unitMicrosecond && t.text(1) == "UTC":
		return hunt.ArrowType(ocsf.Time), nil
	case kind == typeFixedBinary && t.i32(0) == 16:
		return hunt.ArrowType(ocsf.IP), nil
	case kind == typeList:
		return d.list(field)
	}
	return nil, broken("column %q is of an Arrow type that no column has: int64, double, utf8, bool, timestamp in microseconds UTC, "+
		"fixed-size binary of 16 bytes and lists of structs of them are known", field.text(fieldName))
}

// list reads the type of a list of structs. Structs are in lists alone and lists in no struct, so that nothing nests deeper.
func (d *schemaReader) list(field table) (arrow.DataType, error) {
	at, n := field.vector(fieldChildren, 4)
	if n != 1 {
		return nil, broken("column %q is a list without a type", field.text(fieldName))
	}
	object := d.f.table(d.f.follow(at))
	if object.u8(fieldTypeType) != typeStruct {
		return nil, broken("column %q is a list of something other than structs", field.text(fieldName))
	}
	if kids, n := object.vector(fieldChildren, 4); n <= maxFields {
		for k := range n {
			if kind := d.f.table(d.f.follow(kids + 4*k)).u8(fieldTypeType); kind == typeList || kind == typeStruct {
				return nil, broken("column %q nests too deep", field.text(fieldName))
			}
		}
	}
	subs, err := d.fields(object, fieldChildren)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(subs))
	for i := range subs {
		names[i] = subs[i].Name
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(subs) {
		return nil, broken("column %q has two fields of one name", field.text(fieldName))
	}
	return arrow.ListOf(arrow.StructOf(subs...)), nil
}
