package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"signalbox/ci/config"
	"signalbox/ci/variable"
	"signalbox/models/enum"
)

// of a pipeline as it is made: what includes may use, and what comes later.
func factsOf(tag bool) Facts {
	s, p := variable.Server{URL: "https://ci.example.com", Version: "18.9.0"}, variable.Project{ID: 1, Name: "app", Path: "grp/app", Namespace: "grp", DefaultBranch: "main", ConfigPath: ".gitlab-ci.yml"}
	c := variable.Commit{SHA: strings.Repeat("a", 40), BeforeSHA: strings.Repeat("b", 40), Ref: "main", Tag: tag, TagMessage: "first", Message: "Title\n\nBody", Author: "A <a@example.com>", Protected: true}
	f := Facts{Source: enum.SourcePush, Ref: "main", Tag: tag, ProjectPath: "grp/app"}
	f.Variables = variable.Base(s, p, c, variable.Pipeline{Source: "push"})
	f.Predefined = len(f.Variables)
	f.Variables.Add("STORED", "of the project")
	f.Configured = variable.Configured(s, p, c, variable.Pipeline{})
	f.User = variable.UserVariables(variable.User{ID: 1, Login: "ada", Name: "Ada", Email: "ada@example.com"})
	return f
}

// TestPredefinedVariablesByPhase: which variables exist where (facts: pipeline-semantics 3.3).
func TestPredefinedVariablesByPhase(t *testing.T) {
	const include, workflow, rules, never = "include, workflow and rules", "workflow and rules", "rules", "none of them"
	for names, want := range map[string]string{
		`CI GITLAB_CI CI_API_V4_URL CI_COMMIT_AUTHOR CI_COMMIT_BEFORE_SHA CI_COMMIT_DESCRIPTION CI_COMMIT_MESSAGE
		 CI_COMMIT_MESSAGE_IS_TRUNCATED CI_COMMIT_REF_NAME CI_COMMIT_REF_PROTECTED CI_COMMIT_REF_SLUG CI_COMMIT_SHA CI_COMMIT_SHORT_SHA
		 CI_COMMIT_BRANCH CI_COMMIT_TIMESTAMP CI_COMMIT_TITLE CI_COMMIT_USER_LOGIN CI_CONFIG_PATH CI_DEFAULT_BRANCH CI_DEFAULT_BRANCH_SLUG CI_PIPELINE_SOURCE
		 CI_PROJECT_ID CI_PROJECT_NAME CI_PROJECT_TITLE CI_PROJECT_DESCRIPTION CI_PROJECT_NAMESPACE CI_PROJECT_NAMESPACE_ID
		 CI_PROJECT_NAMESPACE_SLUG CI_PROJECT_ROOT_NAMESPACE CI_PROJECT_PATH CI_PROJECT_PATH_SLUG CI_PROJECT_REPOSITORY_LANGUAGES
		 CI_PROJECT_TOPICS CI_PROJECT_URL CI_PROJECT_VISIBILITY CI_PROJECT_CLASSIFICATION_LABEL CI_SERVER_FQDN CI_SERVER_HOST CI_SERVER_NAME
		 CI_SERVER_PORT CI_SERVER_PROTOCOL CI_SERVER_REVISION CI_SERVER_URL CI_SERVER_VERSION
		 CI_SERVER_VERSION_MAJOR CI_SERVER_VERSION_MINOR CI_SERVER_VERSION_PATCH CI_TEMPLATE_REGISTRY_HOST GITLAB_FEATURES STORED`: include,
		`CI_CONFIG_REF_URI GITLAB_USER_ID GITLAB_USER_LOGIN GITLAB_USER_NAME GITLAB_USER_EMAIL`:                                                   workflow,
		`CI_JOB_NAME CI_JOB_NAME_SLUG CI_JOB_GROUP_NAME CI_JOB_STAGE CI_NODE_TOTAL CI_ENVIRONMENT_NAME CI_ENVIRONMENT_ACTION CI_ENVIRONMENT_TIER`: rules,
		`CI_JOB_ID CI_JOB_TOKEN CI_JOB_URL CI_JOB_STARTED_AT CI_PIPELINE_ID CI_PIPELINE_URL CI_REPOSITORY_URL CI_RUNNER_ID CI_RUNNER_TAGS
		 CI_COMMIT_TAG CI_COMMIT_TAG_MESSAGE CI_NODE_INDEX CI_JOB_MANUAL CI_PROJECT_DIR CI_MERGE_REQUEST_IID`: never,
	} {
		for _, name := range strings.Fields(names) {
			got := phases(t, factsOf(false), name)
			if got != want {
				t.Errorf("%s is known in %s, want %s", name, got, want)
			}
		}
	}
	for name, want := range map[string]string{"CI_COMMIT_TAG": include, "CI_COMMIT_TAG_MESSAGE": include, "CI_COMMIT_BRANCH": never} {
		if got := phases(t, factsOf(true), name); got != want {
			t.Errorf("for a tag %s is known in %s, want %s", name, got, want)
		}
	}
}

// phases finds out where a variable is not null.
func phases(t *testing.T, f Facts, name string) string {
	t.Helper()
	var included, ofWorkflow, ofRules bool
	c, errs := config.Load(config.File{Name: ".gitlab-ci.yml", Content: []byte("include: {local: a.yml, rules: [{if: $" + name + " != null}]}\na: {script: x}")},
		config.Options{Variables: f.Variables, Resolver: oneFile("b: {script: x}")})
	if errs != nil {
		t.Fatal(errs)
	}
	included = len(c.Jobs) == 2
	_, err := planned(t, "workflow: {rules: [{if: $"+name+" != null}]}\na: {script: x}", f)
	ofWorkflow = err == nil
	// A job that is kept out by a rule of its own never comes to what it does with its environment.
	p, err := planned(t, "a: {script: x, environment: {name: prod/$CI_COMMIT_REF_SLUG, deployment_tier: production}, rules: [{if: $"+name+" != null, when: never}, {when: manual}]}\nb: {script: x}", f)
	ofRules = err == nil && len(p.LeftOut) == 1
	switch {
	case included && ofWorkflow && ofRules:
		return "include, workflow and rules"
	case ofWorkflow && ofRules && !included:
		return "workflow and rules"
	case ofRules && !included && !ofWorkflow:
		return "rules"
	case !included && !ofWorkflow && !ofRules:
		return "none of them"
	}
	return fmt.Sprintf("include %v, workflow %v, rules %v", included, ofWorkflow, ofRules)
}

// oneFile is what every include gives.
type oneFile string

func (f oneFile) Fetch(from config.Context, _ config.Location) ([]byte, config.Context, error) {
	return []byte(f), from, nil
}
func (f oneFile) Match(config.Context, string) ([]string, error) { return nil, nil }

// TestVariablesOfAJobInItsRules: whose value counts, and what a job does not inherit.
func TestVariablesOfAJobInItsRules(t *testing.T) {
	f := factsOf(false)
	f.Variables.Add("OVERRIDDEN", "stored")
	for rule, want := range map[string]bool{
		`$ROOT == "root"`: true, `$OWN == "own"`: true, `$BOTH == "own"`: true, `$OVERRIDDEN == "stored"`: true, `$CI_JOB_NAME == "a 1/2"`: true,
		`$CI_JOB_GROUP_NAME == "a" && $CI_NODE_INDEX == "1" && $CI_NODE_TOTAL == "2"`: true, `$CI_JOB_MANUAL == "true"`: true,
		`$GITLAB_USER_LOGIN == "ada"`: true, `$CI_PROJECT_NAME == "mine"`: true, `$LEFT == null`: true, `$NESTED == "$OWN"`: true,
	} {
		p, err := planned(t, "variables: {ROOT: root, BOTH: root, LEFT: x}\na:\n  script: x\n  when: manual\n  parallel: 2\n  inherit: {variables: [ROOT, BOTH]}\n"+
			"  variables: {OWN: own, BOTH: own, OVERRIDDEN: own, NESTED: $OWN, GITLAB_USER_LOGIN: nobody, CI_PROJECT_NAME: mine}\n  rules: [{if: '"+rule+"'}]\nb: {script: x}", f)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Jobs[0].Name == "a 1/2"; got != want {
			t.Errorf("%s: %v, want %v", rule, got, want)
		}
	}
}

// TestOnlyVariablesSeeTheJobs as rules do.
func TestOnlyVariablesSeeTheJobs(t *testing.T) {
	p, err := planned(t, "a: {script: x, variables: {OWN: own}, only: {variables: ['$OWN == \"own\" && $CI_JOB_NAME == \"a\"']}}\nb: {script: x, except: {variables: [$OWN]}}", factsOf(false))
	if err != nil || len(p.Jobs) != 2 {
		t.Errorf("%v %v", p, err)
	}
}

// TestCirclesOfVariables are told with the job where they are.
func TestCirclesOfVariables(t *testing.T) {
	for text, want := range map[string]string{
		"rspec: {script: x, variables: {variable: $variable2, variable2: $variable3, variable3: $variable}}": `rspec: circular variable reference detected: ["variable", "variable2", "variable3"]`,
		"variables: {A: $B, B: $A}\nrspec: {script: x}":                                                      `rspec: circular variable reference detected: ["A", "B"]`,
		"variables: {A: $B}\nrspec: {script: x, variables: {B: $A}}":                                         `rspec: circular variable reference detected: ["A", "B"]`,
		"variables: {A: $B, B: $A}\nrspec: {script: x, variables: {B: b}}":                                   "",
		"variables: {A: $B, B: {value: $A, expand: false}}\nrspec: {script: x}":                              "",
		"rspec: {script: x, variables: {A: $$B, B: $$A, C: $C}}":                                             "",
		"variables: {A: $B, B: $A}\nrspec: {script: x, inherit: {variables: [A]}}":                           "",
	} {
		_, err := planned(t, text, factsOf(false))
		var refused *Refusal
		switch {
		case want == "" && err != nil, want != "" && (!errors.As(err, &refused) || refused.Text != want):
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
