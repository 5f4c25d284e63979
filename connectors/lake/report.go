package lake

// Written returns what the writer has made of its input so far: rows in files, and rows that were left out because their event was
// there already. After Commit it is what the input added to the lake.
func (w *Writer) Written() (rows, duplicates int64) {
	for _, f := range w.files {
		rows += f.Rows
	}
	for _, b := range w.buffers {
		duplicates += b.doc.Duplicates
	}
	return rows, duplicates
}
