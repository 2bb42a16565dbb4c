package ci

import "testing"

func TestHumanSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 Bytes", 512: "512 Bytes", 1024: "1 KiB", 2336: "2.28 KiB", 1 << 20: "1 MiB", 5_999_999: "5.72 MiB", 1023 << 10: "1023 KiB", 3 << 40: "3072 GiB"} {
		if got := humanSize(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
