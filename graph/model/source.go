package model

// SourceStream is the GraphQL type of that name. What the source makes of each operator is asked only if it is selected: it takes a
// translation of every operator on every attribute.
type SourceStream struct {
	Name       string
	Class      ClassUID
	TimeRange  *TimeRange
	Rows       *int64
	Untimed    int64
	Retention  *string
	Watermark  *DateTime
	LagMs      *int64
	Ceiling    *int64 // rows; nil for no bound
	Attributes []string
	Ask        func() ([]*AttributeSupport, error)
}

// Provides asks the source.
func (s *SourceStream) Provides() ([]*AttributeSupport, error) { return s.Ask() }
