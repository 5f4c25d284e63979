package lake

// Written implements hunt.SinkWriter: rows in files so far, and rows that were left out because their event was there already. Rows are not counted by input, because an event
// that is in two inputs is one row.
func (w *Writer) Written() (rows, duplicates int64) {
	for _, f := range w.files {
		rows += f.Rows
	}
	for _, b := range w.buffers {
		duplicates += b.doc.Duplicates
	}
	return rows, duplicates
}
