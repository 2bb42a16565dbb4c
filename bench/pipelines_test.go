package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/models"
)

// wide is a configuration of two stages of equal size. The first half of the second waits for one job of the first each,
// the rest for the whole stage.
func wide(jobs int) string {
	var text strings.Builder
	text.WriteString("stages: [build, test]\n")
	half := jobs / 2
	for i := range half {
		fmt.Fprintf(&text, "build%d: {stage: build, script: [make], only: [api]}\n", i)
	}
	for i := range half {
		needs := ""
		if i < half/2 {
			needs = fmt.Sprintf(", needs: [build%d]", i)
		}
		fmt.Fprintf(&text, "test%d: {stage: test, script: [make test], only: [api]%s}\n", i, needs)
	}
	return text.String()
}

// BenchmarkCreatePipeline makes pipelines of 1,000 jobs.
func BenchmarkCreatePipeline(b *testing.B) {
	databases(b, func(b *testing.B, name string, o models.Options) {
		n := start(b, o)
		n.pushText(b, wide(1000))
		if err := n.create(b.Context()); err != nil { // warms up
			b.Fatal(err)
		}
		var spent time.Duration
		made := 0
		for b.Loop() {
			began := time.Now()
			if err := n.create(b.Context()); err != nil {
				b.Fatal(err)
			}
			spent, made = spent+time.Since(began), made+1
		}
		ms := float64(spent.Milliseconds()) / float64(made)
		report("create a pipeline of 1,000 jobs, "+name, "< 300 ms", fmt.Sprintf("%.0f ms", ms))
		b.ReportMetric(ms, "ms/pipeline")
	})
}

// BenchmarkLargePipelines lives through pipelines of 500 and of 5,000 jobs: a job must not cost more in the large one.
func BenchmarkLargePipelines(b *testing.B) {
	databases(b, func(b *testing.B, name string, o models.Options) {
		for b.Loop() {
			each := map[int]float64{}
			for _, jobs := range []int{500, 5000} {
				n := start(b, o)
				n.pushText(b, wide(jobs))
				if err := n.create(b.Context()); err != nil {
					b.Fatal(err)
				}
				v := n.fleetRun(b, "lives", 32, jobs, nil)
				each[jobs] = 1000 / v["per_second"]
				o = fresh(b, o)
			}
			report("a job of a pipeline of 5,000, "+name, "as of one of 500", fmt.Sprintf("%.2f ms, and %.2f ms", each[5000], each[500]))
			b.ReportMetric(each[5000]/each[500], "times")
		}
	})
}
