package lake

// Written returns what the writer has made of its inputs so far, taken together: rows in files, and rows that were left out because
// their event was there already. After Commit it is what the commit added to the lake. Rows are not counted by input, because an event
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
