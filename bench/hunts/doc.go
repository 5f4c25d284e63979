// Package hunts holds the forty hunts that every connector must answer with the same rows: hunts.yaml, over the telemetry that package
// demo generates by default. It owns the file and its reading; the tests of the program ask the hunts of every connector in every form,
// and the benchmarks take their time.
package hunts
