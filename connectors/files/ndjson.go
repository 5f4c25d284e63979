package files

// lineFramer cuts newline-delimited JSON. Blank lines are no records.
type lineFramer struct{ w *window }

func (f *lineFramer) next(r *record) error {
	for {
		l, err := f.w.line()
		if err != nil {
			return err
		}
		*r = record{offset: l.offset, raw: trimBreaks(l.text), open: !l.terminated}
		if l.tooLong {
			r.reason = tooLong()
			return nil
		}
		if !blank(r.raw) {
			return nil
		}
	}
}

func blank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}
