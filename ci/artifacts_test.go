package ci

import (
	"testing"
	"time"

	"signalbox/models"
	"signalbox/models/modelstest"
)

func TestExpiryOfArtifacts(t *testing.T) {
	modelstest.Each(t, func(t *testing.T, o models.Options) {
		db := modelstest.Open(t, o)
		c := &Coordinator{db: db, settings: Settings{ArtifactExpiry: time.Hour}}
		for text, want := range map[string]time.Duration{"": time.Hour, "2 days": 48 * time.Hour, "never": 0, "Never": 0} {
			at, err := c.expiry(text, InstanceSettings{})
			switch {
			case err != nil:
				t.Errorf("%q: %v", text, err)
			case want == 0 && at != nil, want != 0 && (at == nil || at.Sub(db.Now()).Round(time.Minute) != want):
				t.Errorf("%q: %v, want in %s", text, at, want)
			}
		}
		if _, err := c.expiry("7 elephants", InstanceSettings{}); err == nil {
			t.Error("elephants are a duration")
		}
	})
}
