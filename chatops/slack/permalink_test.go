package slack

import (
	"testing"

	"signalbox/models"
)

func TestPermalink(t *testing.T) {
	for want, c := range map[string]models.ChatCommand{
		"https://team.slack.com/archives/C1/p1700000000000100":                                    {TeamDomain: "team", ChannelID: "C9", MessageID: "C1/1700000000.000100"},
		"https://team.slack.com/archives/C1/p1700000000000200":                                    {TeamDomain: "team", ChannelID: "C1", Thread: "1700000000.000200"},
		"https://team.slack.com/archives/C1/p1700000000000100?thread_ts=1700000000.000200&cid=C1": {TeamDomain: "team", ChannelID: "C1", Thread: "1700000000.000200", MessageID: "C1/1700000000.000100"},
		"https://app.slack.com/client/T1/C1/thread/C1-1700000000.000200":                          {TeamDomain: "T1", TeamID: "T1", ChannelID: "C1", Thread: "1700000000.000200", MessageID: "C1/1700000000.000100"},
		"https://app.slack.com/client/T1/D1/thread/D1-1700000000.000100":                          {TeamDomain: "T1", TeamID: "T1", ChannelID: "D1", MessageID: "D1/1700000000.000100"},
		"": {TeamDomain: "evil.example.com/", TeamID: "../x", ChannelID: "C1", Thread: "1700000000.000200"},
	} {
		if got := (Chat{}).Permalink(nil, &c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
