package enum

// AccessLevel is a member's role, with GitLab's numbers.
type AccessLevel int

// GitLab's roles.
const (
	NoAccess      AccessLevel = 0
	MinimalAccess AccessLevel = 5
	Guest         AccessLevel = 10
	Planner       AccessLevel = 15
	Reporter      AccessLevel = 20
	Developer     AccessLevel = 30
	Maintainer    AccessLevel = 40
	Owner         AccessLevel = 50
	AdminAccess   AccessLevel = 60
)

// Valid says whether a member may hold this level.
func (l AccessLevel) Valid() bool {
	switch l {
	case MinimalAccess, Guest, Planner, Reporter, Developer, Maintainer, Owner:
		return true
	}
	return false
}

// String is the role's name as people know it.
func (l AccessLevel) String() string {
	switch l {
	case MinimalAccess:
		return "Minimal Access"
	case Guest:
		return "Guest"
	case Planner:
		return "Planner"
	case Reporter:
		return "Reporter"
	case Developer:
		return "Developer"
	case Maintainer:
		return "Maintainer"
	case Owner:
		return "Owner"
	case AdminAccess:
		return "Administrator"
	}
	return "No access"
}

// Visibility says who may see a project or a group.
type Visibility string

// GitLab's visibilities.
const (
	Private  Visibility = "private"
	Internal Visibility = "internal"
	Public   Visibility = "public"
)

// Valid says whether v is one of the three.
func (v Visibility) Valid() bool { return v == Private || v == Internal || v == Public }

// RunnerType says for which projects a runner works.
type RunnerType string

// GitLab's runner types.
const (
	InstanceRunner RunnerType = "instance_type"
	GroupRunner    RunnerType = "group_type"
	ProjectRunner  RunnerType = "project_type"
)

// When is a job's `when`.
type When string

// The values of `when`.
const (
	OnSuccess  When = "on_success"
	OnFailure  When = "on_failure"
	Always     When = "always"
	WhenManual When = "manual"
	Delayed    When = "delayed"
	Never      When = "never"
)

// Chat is a chat service.
type Chat string

// The chats that can send commands. Console is signalbox's own endpoint and page.
const (
	Slack      Chat = "slack"
	SlackApp   Chat = "slack_app" // the one app of the instance, for all projects
	Mattermost Chat = "mattermost"
	Discord    Chat = "discord"
	Console    Chat = "console"
)

// CommandState is what became of a chat command (design.md section 6).
type CommandState string

// The states of a chat command.
const (
	CommandAccepted      CommandState = "accepted"
	CommandWaiting       CommandState = "waiting" // for the approval of others
	CommandRefused       CommandState = "refused"
	CommandRunning       CommandState = "running"
	CommandReplied       CommandState = "replied"
	CommandSilent        CommandState = "silent"
	CommandExpired       CommandState = "expired"
	CommandUndeliverable CommandState = "undeliverable"
)
