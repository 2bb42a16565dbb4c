package discord

type commandOption struct {
	Type         int    `json:"type"` // 3: text
	Name         string `json:"name"`
	Description  string `json:"description"`
	Required     bool   `json:"required"`
	Autocomplete bool   `json:"autocomplete,omitempty"`
}

type slashCommand struct {
	Type        int             `json:"type"` // 1: typed with a slash
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Options     []commandOption `json:"options"`
}

// commands are those that Discord learns of.
var commands = []slashCommand{
	{1, "run", "Run a job and get its reply here", []commandOption{
		{3, "job", "The job, also job@branch", true, true}, {3, "args", "What the job gets as CHAT_INPUT", false, true},
	}},
	{1, "signalbox", "Any command, such as help, jobs, status, retry or cancel", []commandOption{
		{3, "command", "The command; help lists them", false, false},
	}},
}
