package bench_test

import (
	"os"
	"testing"
)

// TestLakeHoldsEveryRecord makes the lake if it is not there and checks its books again: what the writer said against what DuckDB
// counts in the files.
func TestLakeHoldsEveryRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("it ingests a million events; run it without -short")
	}
	u, err := unpack(dataFile(t))
	if err != nil {
		t.Fatal(err)
	}
	_, report, err := makeLake(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	report.print(os.Stdout)
}
