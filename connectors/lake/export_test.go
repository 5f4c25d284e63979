package lake

// Flush writes what a writer holds, as a full buffer does.
func Flush(w *Writer) error {
	for _, b := range w.buffers {
		if err := w.flush(b); err != nil {
			return err
		}
	}
	return nil
}

// Crash ends a writer as the end of its process does: its lock is freed and its files stay.
func Crash(w *Writer) { w.lock.Close() }
