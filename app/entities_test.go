package app

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/models"
)

// entities are GitLab's (facts: rest-api 3): the keys of each with their types. A ? after the type allows null, a
// ~ before the key lets it be absent, [] after the type is a list, a name with a capital is another entity, and
// +Name takes over all keys of one.
var entities = map[string]string{
	"Version":     "version:str revision:str kas:Kas enterprise:bool",
	"Kas":         "enabled:bool externalUrl:str? externalK8sProxyUrl:str? version:str?",
	"UserBasic":   "id:int username:str public_email:str? name:str state:str locked:bool avatar_url:str? web_url:str",
	"User":        "+UserBasic ~created_at:time bio:str? location:str? linkedin:str? twitter:str? discord:str? website_url:str? github:str? job_title:str? pronouns:str? organization:str? bot:bool work_information:str? ~followers:int ~following:int ~is_followed:bool local_time:str?",
	"UserPrivate": "+User last_sign_in_at:time? confirmed_at:time? last_activity_on:date? email:str theme_id:int? color_scheme_id:int projects_limit:int current_sign_in_at:time? identities:any[] can_create_group:bool can_create_project:bool two_factor_enabled:bool external:bool private_profile:bool? commit_email:str preferred_language:str",
	"CurrentUser": "+UserPrivate is_admin:bool note:str? namespace_id:int created_by:UserBasic?",
	"UserAdmin":   "+UserPrivate is_admin:bool note:str? namespace_id:int? created_by:UserBasic?",
	"UserDetails": "+UserAdmin highest_role:int current_sign_in_ip:str? last_sign_in_ip:str? sign_in_count:int",

	"Namespace":      "id:int name:str path:str kind:str full_path:str parent_id:int? avatar_url:str? web_url:str",
	"NamespaceFull":  "+Namespace ~members_count_with_descendants:int ~root_repository_size:int? ~projects_count:int ~billable_members_count:int ~plan:str ~trial:bool ~trial_ends_on:date?",
	"Identity":       "id:int description:str? name:str name_with_namespace:str path:str path_with_namespace:str created_at:time",
	"BasicProject":   "+Identity default_branch:str? tag_list:str[] topics:str[] ssh_url_to_repo:str http_url_to_repo:str web_url:str readme_url:str? forks_count:int avatar_url:str? star_count:int last_activity_at:time visibility:str namespace:Namespace",
	"Project":        "... +BasicProject ~permissions:any _links:any empty_repo:bool archived:bool ~owner:UserBasic creator_id:int updated_at:time import_status:str ~import_url:str? ~import_error:str? ~import_type:str? marked_for_deletion_at:date? marked_for_deletion_on:date? jobs_enabled:bool issues_enabled:bool merge_requests_enabled:bool wiki_enabled:bool snippets_enabled:bool container_registry_enabled:bool builds_access_level:str repository_access_level:str merge_requests_access_level:str environments_access_level:str shared_runners_enabled:bool lfs_enabled:bool ci_config_path:str? public_jobs:bool shared_with_groups:any[] only_allow_merge_if_pipeline_succeeds:bool allow_merge_on_skipped_pipeline:bool? only_allow_merge_if_all_discussions_are_resolved:bool request_access_enabled:bool remove_source_branch_after_merge:bool merge_method:str squash_option:str max_artifacts_size:int? autoclose_referenced_issues:bool",
	"ProjectForKeep": "+Project ci_default_git_depth:int? ci_delete_pipelines_in_seconds:int? chat_commands_keep_days:int ci_forward_deployment_enabled:bool ci_forward_deployment_rollback_allowed:bool ci_job_token_scope_enabled:bool ci_separated_caches:bool ci_allow_fork_pipelines_to_run_in_parent_project:bool ci_id_token_sub_claim_components:str[] build_git_strategy:str keep_latest_artifact:bool restrict_user_defined_variables:bool ci_pipeline_variables_minimum_override_role:str runner_token_expiration_interval:int? group_runners_enabled:bool resource_group_default_process_mode:str auto_cancel_pending_pipelines:str build_timeout:int auto_devops_enabled:bool auto_devops_deploy_strategy:str ci_push_repository_for_job_token_allowed:bool runners_token:str?",
	"ProjectAccess":  "+ProjectForKeep permissions:Permissions",
	"Permissions":    "project_access:Access? group_access:Access?",
	"Access":         "access_level:int notification_level:int",
	"Group":          "... id:int web_url:str name:str path:str description:str? visibility:str avatar_url:str? full_name:str full_path:str created_at:time parent_id:int? shared_runners_setting:str",
	"Member":         "+UserBasic access_level:int created_at:time ~created_by:UserBasic expires_at:date? ~membership_state:str",

	"PAT":           "id:int name:str revoked:bool created_at:time description:str? scopes:str[] user_id:int last_used_at:time? active:bool expires_at:date?",
	"PATRead":       "+PAT last_used_ips:str[]",
	"PATNew":        "+PAT token:str",
	"ResourceToken": "+PAT ~last_used_ips:str[] access_level:int resource_type:str resource_id:int",
	"ResourceNew":   "+ResourceToken token:str",

	"PipelineBasic":  "id:int iid:int project_id:int sha:str ref:str status:str source:str created_at:time updated_at:time web_url:str",
	"PipelineList":   "+PipelineBasic name:str?",
	"Pipeline":       "+PipelineBasic before_sha:str tag:bool yaml_errors:str? user:UserBasic? started_at:time? finished_at:time? committed_at:time? duration:int? queued_duration:int? coverage:str? detailed_status:DetailedStatus archived:bool",
	"PipelineNamed":  "+Pipeline name:str?",
	"DetailedStatus": "icon:str text:str label:str group:str tooltip:str has_details:bool details_path:str? ~illustration:any? favicon:str ~action:any",
	"PipelineVar":    "variable_type:str key:str value:str raw:bool",
	"JobBasic":       "id:int status:str stage:str name:str ref:str web_url:str tag:bool allow_failure:bool coverage:num? created_at:time started_at:time? finished_at:time? erased_at:time? duration:num? queued_duration:num? user:User commit:Commit? pipeline:PipelineBasic ~failure_reason:str project:any",
	"Job":            "+JobBasic ~artifacts_file:ArtifactsFile artifacts:Artifact[] runner:Runner? runner_manager:RunnerManager? artifacts_expire_at:time? archived:bool tag_list:str[]",
	"JobOfRunner":    "+JobBasic",
	"ArtifactsFile":  "filename:str size:int",
	"Artifact":       "file_type:str size:int filename:str file_format:str?",

	"Runner":        "id:int description:str? ip_address:str? active:bool paused:bool is_shared:bool runner_type:str name:str? online:bool? ~created_by:UserBasic? created_at:time status:str job_execution_status:str",
	"RunnerDetails": "+Runner tag_list:str[] run_untagged:bool locked:bool maximum_timeout:int? access_level:str version:str? revision:str? platform:str? architecture:str? contacted_at:time? maintenance_note:str? ~projects:BasicProject[] groups:any[]",
	"RunnerManager": "id:int system_id:str version:str? revision:str? platform:str? architecture:str? created_at:time contacted_at:time? ip_address:str? status:str job_execution_status:str",
	"Registration":  "id:int token:str token_expires_at:time?",
	"ResetToken":    "token:str token_expires_at:time?",

	"Variable":         "+InstanceVariable hidden:bool environment_scope:str",
	"InstanceVariable": "variable_type:str key:str value:str? protected:bool masked:bool raw:bool description:str?",
	"Lint":             "valid:bool errors:str[] warnings:str[] merged_yaml:str? includes:any[]? ~jobs:LintJob[]",
	"LintJob":          "name:str stage:str before_script:str[] script:str[] after_script:str[] tag_list:str[] ~only:any? ~except:any? environment:str? when:str allow_failure:bool ~needs:any?",

	"Commit":          "id:str short_id:str created_at:stamp parent_ids:str[] title:str message:str author_name:str author_email:str authored_date:stamp committer_name:str committer_email:str committed_date:stamp trailers:any extended_trailers:any web_url:str",
	"CommitDetail":    "+Commit ~stats:Stats status:str? project_id:int last_pipeline:PipelineBasic?",
	"Stats":           "additions:int deletions:int total:int",
	"CommitStatus":    "id:int sha:str ref:str? status:str name:str target_url:str? description:str? created_at:time started_at:time? finished_at:time? allow_failure:bool coverage:num? pipeline_id:int author:UserBasic?",
	"Branch":          "name:str commit:Commit merged:bool protected:bool developers_can_push:bool developers_can_merge:bool can_push:bool default:bool web_url:str",
	"Tag":             "name:str message:str? target:str commit:Commit release:any? protected:bool created_at:stamp?",
	"TreeEntry":       "id:str name:str type:str path:str mode:str",
	"File":            "file_name:str file_path:str size:int encoding:str content_sha256:str ref:str blob_id:str commit_id:str last_commit_id:str execute_filemode:bool content:str",
	"FileWritten":     "file_path:str branch:str",
	"ProtectedBranch": "id:int name:str push_access_levels:AccessRule[] merge_access_levels:AccessRule[] allow_force_push:bool ~unprotect_access_levels:any[] ~code_owner_approval_required:bool",
	"AccessRule":      "id:int access_level:int access_level_description:str ~deploy_key_id:int? ~user_id:int? ~group_id:int?",
	"ProtectedTag":    "name:str create_access_levels:AccessRule[]",
	"Integration":     "id:int title:str slug:str created_at:time updated_at:time active:bool ~inherited:bool ~properties:any ~*_events:bool ~vulnerability_events:bool ~comment_on_event_enabled:bool",
	"Message":         "message:str",
}

var shapes = map[string]*regexp.Regexp{
	"time": regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`), "date": regexp.MustCompile(`^\d{4}-\d\d-\d\d$`),
	"stamp": regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$`),
}

// keysOf lists an entity's keys with their types.
func keysOf(t *testing.T, name string) map[string]string {
	t.Helper()
	out := map[string]string{}
	text, known := entities[name]
	if !known {
		t.Fatalf("no entity %s", name)
	}
	for _, word := range strings.Fields(text) {
		if parent, ok := strings.CutPrefix(word, "+"); ok {
			for k, v := range keysOf(t, parent) {
				out[k] = v
			}
			continue
		}
		key, kind, _ := strings.Cut(word, ":")
		out[key] = kind
	}
	return out
}

// compare says where a value is not what its type says.
func compare(t *testing.T, at, kind string, v any, report func(string, ...any)) {
	t.Helper()
	if inner, ok := strings.CutSuffix(kind, "?"); ok {
		if v != nil {
			compare(t, at, inner, v, report)
		}
		return
	}
	if inner, ok := strings.CutSuffix(kind, "[]"); ok {
		list, isList := v.([]any)
		if !isList {
			report("%s is %T, want a list", at, v)
		}
		for i, item := range list {
			compare(t, fmt.Sprintf("%s[%d]", at, i), inner, item, report)
		}
		return
	}
	if entities[kind] != "" {
		object, isObject := v.(map[string]any)
		if !isObject {
			report("%s is %T, want %s", at, v, kind)
			return
		}
		compareKeys(t, at, kind, object, report)
		return
	}
	if !isA(kind, v) {
		report("%s is %T %v, want %s", at, v, v, kind)
	}
}

func isA(kind string, v any) bool {
	switch kind {
	case "any":
		return v != nil
	case "str":
		_, ok := v.(string)
		return ok
	case "bool":
		_, ok := v.(bool)
		return ok
	case "int":
		n, ok := v.(float64)
		return ok && n == math.Trunc(n)
	case "num":
		_, ok := v.(float64)
		return ok
	}
	text, ok := v.(string)
	return ok && shapes[kind] != nil && shapes[kind].MatchString(text)
}

func compareKeys(t *testing.T, at, kind string, object map[string]any, report func(string, ...any)) {
	t.Helper()
	want := keysOf(t, kind)
	_, open := want["..."]
	delete(want, "...")
	for key, keyKind := range want {
		key, optional := strings.CutPrefix(key, "~")
		v, there := object[key]
		if there {
			compare(t, at+"."+key, keyKind, v, report)
		} else if !optional {
			report("%s.%s (%s) is missing", at, key, keyKind)
		}
	}
	for key, v := range object {
		_, known := want[key]
		_, optional := want["~"+key]
		if wild, ok := want["~*_events"]; ok && strings.HasSuffix(key, "_events") {
			known = isA(wild, v)
		}
		if !known && !optional && !open {
			report("%s.%s is not GitLab's: %v", at, key, v)
		}
	}
}

// answered calls the API and compares status and entity: a name, one with [] for a list, or "" for no body.
func (w *world) answered(status int, method, path string, body any, entity string) any {
	w.t.Helper()
	return w.answeredTo(rootToken, status, method, path, body, entity)
}

func (w *world) answeredTo(token string, status int, method, path string, body any, entity string) any {
	w.t.Helper()
	var raw json.RawMessage
	got := w.apiAs(token, method, path, body, &raw)
	if got != status {
		w.t.Errorf("%s %s: %d, want %d: %.300s", method, path, got, status, raw)
		return nil
	}
	if entity == "" {
		if len(raw) > 0 {
			w.t.Errorf("%s %s: %s, want no body", method, path, raw)
		}
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		w.t.Errorf("%s %s: %v", method, path, err)
		return nil
	}
	if list, ok := v.([]any); ok && len(list) == 0 && entity != "any[]" {
		w.t.Errorf("%s %s: an empty list shows nothing", method, path)
	}
	compare(w.t, method+" "+path, entity, v, w.t.Errorf)
	return v
}

func (w *world) refused(status int, method, path string, body any, want string) {
	w.t.Helper()
	var raw json.RawMessage
	if got := w.api(method, path, body, &raw); got != status || string(raw) != want {
		w.t.Errorf("%s %s: %d %s, want %d %s", method, path, got, raw, status, want)
	}
}

// download reads an answer that is no JSON.
func (w *world) download(path string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequest("GET", w.node.Local+"/api/v4"+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("PRIVATE-TOKEN", rootToken)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(b)
}

// numberOf is a number of an answer.
func numberOf(v any, key string) string {
	object, _ := v.(map[string]any)
	n, _ := object[key].(float64)
	return fmt.Sprint(int64(n))
}

func textOf(v any, key string) string {
	object, _ := v.(map[string]any)
	text, _ := object[key].(string)
	return text
}

// TestEntities walks the rows that the sheet marks as musts: status, every key and type, and the errors that
// clients rely on.
func TestEntities(t *testing.T) {
	onEither(t, func(t *testing.T, o models.Options) {
		w := start(t, o)
		id := w.newProject("app")
		w.runner()
		p := fmt.Sprintf("/projects/%d", id)
		t.Run("instance", func(t *testing.T) { w.in(t).instanceEntities() })
		t.Run("people", func(t *testing.T) { w.in(t).peopleEntities(p) })
		t.Run("projects", func(t *testing.T) { w.in(t).projectEntities(p) })
		t.Run("repository", func(t *testing.T) { w.in(t).repositoryEntities(p) })
		t.Run("pipelines", func(t *testing.T) { w.in(t).pipelineEntities(p) })
		t.Run("runners", func(t *testing.T) { w.in(t).runnerEntities(p) })
		t.Run("variables", func(t *testing.T) { w.in(t).variableEntities(p) })
	})
}

// in reports to a part of the test.
func (w *world) in(t *testing.T) *world {
	part := *w
	part.t = t
	return &part
}

func (w *world) instanceEntities() {
	for _, path := range []string{"/version", "/metadata"} {
		v := w.answered(200, "GET", path, nil, "Version")
		if strings.Count(textOf(v, "version"), ".") != 2 {
			w.t.Errorf("version %v", v)
		}
		if got := w.apiAs("", "GET", path, nil, nil); got != 401 {
			w.t.Errorf("%s as nobody: %d", path, got)
		}
	}
	w.refused(404, "GET", "/license", nil, `{"error":"404 Not Found"}`)
	w.refused(404, "POST", "/ci/lint", map[string]any{"content": "x"}, `{"error":"404 Not Found"}`)
}

func (w *world) peopleEntities(p string) {
	w.answered(200, "GET", "/user", nil, "CurrentUser")
	u := w.answered(201, "POST", "/users", map[string]any{"username": "mira", "name": "Mira", "email": "mira@example.com", "password": "long-enough-password"}, "UserAdmin")
	mira := "/users/" + numberOf(u, "id")
	w.answered(200, "GET", "/users?username=mira", nil, "UserAdmin[]")
	w.answered(200, "GET", mira, nil, "UserDetails")
	w.answered(200, "PUT", mira, map[string]any{"name": "Mira Holt", "bio": "b", "note": "n"}, "UserAdmin")
	w.refused(409, "POST", "/users", map[string]any{"username": "mira", "name": "M", "email": "m2@example.com", "password": "long-enough-password"}, `{"message":"Username has already been taken"}`)
	w.refused(409, "POST", "/users", map[string]any{"username": "mira2", "name": "M", "email": "mira@example.com", "password": "long-enough-password"}, `{"message":"Email has already been taken"}`)
	w.refused(404, "GET", "/users/99999", nil, `{"message":"404 User Not Found"}`)

	tok := w.answered(201, "POST", mira+"/personal_access_tokens", map[string]any{"name": "ci", "scopes": []string{"api"}, "expires_at": "2030-01-01"}, "PATNew")
	secret, one := textOf(tok, "token"), "/personal_access_tokens/"+numberOf(tok, "id")
	w.answeredTo(secret, 200, "GET", "/user", nil, "UserPrivate")
	w.answeredTo(secret, 200, "GET", "/personal_access_tokens", nil, "PATRead[]")
	w.answeredTo(secret, 200, "GET", "/personal_access_tokens/self", nil, "PATRead")
	w.answered(200, "GET", one, nil, "PATRead")
	rotated := w.answeredTo(secret, 200, "POST", one+"/rotate", map[string]any{"expires_at": "2030-02-01"}, "PATNew")
	if got := w.apiAs(secret, "GET", "/user", nil, nil); got != 401 {
		w.t.Errorf("a token that was rotated: %d", got)
	}
	w.answered(204, "DELETE", "/personal_access_tokens/"+numberOf(rotated, "id"), nil, "")

	w.answered(201, "POST", p+"/members", map[string]any{"user_id": numberOf(u, "id"), "access_level": 30, "expires_at": ""}, "Member")
	w.refused(409, "POST", p+"/members", map[string]any{"user_id": numberOf(u, "id"), "access_level": 30}, `{"message":"Member already exists"}`)
	w.refused(404, "POST", p+"/members", map[string]any{"user_id": 99999, "access_level": 30}, `{"message":"404 User Not Found"}`)
	w.refused(400, "POST", p+"/members", map[string]any{"user_id": 1}, `{"error":"access_level is missing"}`)
	member := p + "/members/" + numberOf(u, "id")
	for _, path := range []string{p + "/members", p + "/members/all"} {
		w.answered(200, "GET", path, nil, "Member[]")
	}
	w.answered(200, "GET", member, nil, "Member")
	w.answered(200, "GET", p+"/members/all/"+numberOf(u, "id"), nil, "Member")
	w.answered(200, "PUT", member, map[string]any{"access_level": 40, "expires_at": "2031-01-01"}, "Member")
	w.answered(204, "DELETE", member, nil, "")
	w.refused(404, "GET", member, nil, `{"message":"404 Not found"}`)
	w.refused(404, "GET", p+"/members/99999", nil, `{"message":"404 Not found"}`)
}

func (w *world) projectEntities(p string) {
	w.answered(200, "GET", "/projects", nil, "ProjectAccess[]")
	w.answered(200, "GET", "/projects?simple=true", nil, "BasicProject[]")
	w.answered(200, "GET", "/users/root/projects", nil, "ProjectAccess[]")
	w.answered(200, "GET", p, nil, "ProjectAccess")
	made := w.answered(201, "POST", "/projects", map[string]any{"name": "Second One", "topics": []string{"a"}, "build_timeout": 1200, "ci_config_path": "ci.yml"}, "ProjectForKeep")
	second := "/projects/" + numberOf(made, "id")
	w.answered(200, "PUT", second, map[string]any{"description": "d", "public_jobs": false}, "ProjectForKeep")
	w.refused(400, "POST", "/projects", map[string]any{}, `{"error":"name, path are missing, at least one parameter must be provided"}`)
	w.refused(400, "POST", "/projects", map[string]any{"path": "app"}, `{"message":{"path":["has already been taken"]}}`)
	w.answered(201, "POST", second+"/archive", nil, "ProjectForKeep")
	w.answered(201, "POST", second+"/unarchive", nil, "ProjectForKeep")
	w.answered(202, "DELETE", second, nil, "Message")
	w.refused(404, "GET", second, nil, `{"message":"404 Project Not Found"}`)
	w.answered(201, "POST", "/groups", map[string]any{"name": "Team", "path": "team"}, "Group")
	w.answered(200, "GET", "/groups", nil, "Group[]")
	w.answered(200, "GET", "/groups/team", nil, "Group")
	w.answered(200, "GET", "/namespaces", nil, "NamespaceFull[]")
	w.answered(200, "GET", "/namespaces/team", nil, "NamespaceFull")
	tok := w.answered(201, "POST", p+"/access_tokens", map[string]any{"name": "bot", "scopes": []string{"api"}, "access_level": 30, "expires_at": "2030-01-01"}, "ResourceNew")
	w.answered(200, "GET", p+"/access_tokens", nil, "ResourceToken[]")
	w.answered(200, "GET", p+"/access_tokens/"+numberOf(tok, "id"), nil, "ResourceToken")
	w.answered(204, "DELETE", p+"/access_tokens/"+numberOf(tok, "id"), nil, "")
	w.answered(200, "PUT", p+"/integrations/slack-slash-commands", map[string]any{"token": "a-chat-token"}, "Integration")
	w.answered(200, "GET", p+"/integrations", nil, "Integration[]")
	w.answered(204, "DELETE", p+"/integrations/slack-slash-commands", nil, "")
}

func (w *world) repositoryEntities(p string) {
	w.refused(404, "GET", p+"/repository/tree", nil, `{"message":"404 Tree Not Found"}`)
	w.refused(404, "GET", p+"/ci/lint", nil, `{"message":"404 Repository Not Found"}`)
	w.answered(201, "POST", p+"/repository/files/README.md", map[string]any{"branch": "main", "content": "hello", "commit_message": "add\n\nwith a body"}, "FileWritten")
	w.answered(200, "PUT", p+"/repository/files/README.md", map[string]any{"branch": "main", "content": "aGVsbG8h", "encoding": "base64", "commit_message": "change"}, "FileWritten")
	w.answered(200, "GET", p+"/repository/files/README.md?ref=main", nil, "File")
	w.refused(404, "GET", p+"/repository/files/none?ref=main", nil, `{"message":"404 File Not Found"}`)
	w.refused(400, "GET", p+"/repository/files/README.md", nil, `{"error":"ref is missing"}`)
	if res, body := w.download(p + "/repository/files/README.md/raw"); res.StatusCode != 200 || body != "hello!" {
		w.t.Errorf("raw file: %d %q", res.StatusCode, body)
	}
	w.answered(201, "POST", p+"/repository/branches?branch=feature%2Fx&ref=main", nil, "Branch")
	w.answered(200, "GET", p+"/repository/branches", nil, "Branch[]")
	w.answered(200, "GET", p+"/repository/branches/feature%2Fx", nil, "Branch")
	w.answered(204, "DELETE", p+"/repository/branches/feature%2Fx", nil, "")
	w.refused(404, "GET", p+"/repository/branches/none", nil, `{"message":"404 Branch Not Found"}`)
	w.answered(201, "POST", p+"/repository/tags?tag_name=v1&ref=main&message=first", nil, "Tag")
	w.answered(200, "GET", p+"/repository/tags", nil, "Tag[]")
	w.answered(200, "GET", p+"/repository/tags/v1", nil, "Tag")
	w.refused(404, "GET", p+"/repository/tags/none", nil, `{"message":"404 Tag Not Found"}`)
	list := w.answered(200, "GET", p+"/repository/commits", nil, "Commit[]").([]any)
	w.answered(200, "GET", p+"/repository/commits/main", nil, "CommitDetail")
	w.refused(404, "GET", p+"/repository/commits/none", nil, `{"message":"404 Commit Not Found"}`)
	w.answered(200, "GET", p+"/repository/tree?recursive=true", nil, "TreeEntry[]")
	w.answered(201, "POST", p+"/protected_branches", map[string]any{"name": "release/*", "push_access_level": 40, "merge_access_level": 30}, "ProtectedBranch")
	w.answered(200, "GET", p+"/protected_branches", nil, "ProtectedBranch[]")
	w.answered(200, "GET", p+"/protected_branches/release%2F*", nil, "ProtectedBranch")
	w.answered(204, "DELETE", p+"/protected_branches/release%2F*", nil, "")
	w.answered(201, "POST", p+"/protected_tags", map[string]any{"name": "v*", "create_access_level": 40}, "ProtectedTag")
	w.answered(200, "GET", p+"/protected_tags", nil, "ProtectedTag[]")
	w.answered(204, "DELETE", p+"/protected_tags/v*", nil, "")
	w.answered(200, "GET", "/merge_requests?source_branch=x", nil, "any[]")
	w.answered(200, "GET", p+"/merge_requests", nil, "any[]")
	w.answered(200, "GET", p+"/repository/commits/"+textOf(list[0], "id")+"/merge_requests", nil, "any[]")
	w.answered(204, "DELETE", p+"/repository/files/README.md?branch=main&commit_message=away", nil, "")
}

const entityConfig = `
build:
  script: [echo built > out.txt]
  artifacts: {paths: [out.txt], expire_in: 1 day}
broken:
  script: [exit 3]
  allow_failure: true
later:
  stage: deploy
  script: [echo deployed]
  when: manual
`

func (w *world) pipelineEntities(p string) {
	w.push("app", map[string]string{".gitlab-ci.yml": entityConfig})
	w.pipeline("success")
	one := fmt.Sprintf("%s/pipelines/%d", p, w.pipelines()[0].ID)
	w.answered(200, "GET", p+"/pipelines", nil, "PipelineList[]")
	v := w.answered(200, "GET", one, nil, "PipelineNamed").(map[string]any)
	if status := v["detailed_status"].(map[string]any); status["group"] != "success-with-warnings" || status["text"] != "Warning" || status["label"] != "passed with warnings" {
		w.t.Errorf("passed with warnings: %v", status)
	}
	w.answered(200, "GET", p+"/pipelines/latest", nil, "PipelineNamed")
	w.refused(403, "GET", p+"/pipelines/latest?ref=none", nil, `{"message":"403 Forbidden"}`)
	w.answered(200, "PUT", one+"/metadata", map[string]any{"name": "Nightly"}, "PipelineNamed")
	w.answered(201, "POST", p+"/pipeline", map[string]any{"ref": "main", "variables": []any{map[string]any{"key": "A", "value": "b"}}}, "Pipeline")
	second := fmt.Sprintf("%s/pipelines/%d", p, w.pipelines()[0].ID)
	w.answered(200, "GET", second+"/variables", nil, "PipelineVar[]")
	w.answered(200, "POST", second+"/cancel", nil, "Pipeline")
	w.eventually("the canceled pipeline", func() bool { return w.pipelines()[0].Status == "canceled" })
	w.answered(201, "POST", second+"/retry", nil, "Pipeline")
	w.eventually("the second pipeline", func() bool { return slices.Contains([]string{"success", "manual"}, w.pipelines()[0].Status) })
	w.answered(200, "GET", second+"/jobs?include_retried=true", nil, "Job[]")
	w.answered(200, "GET", second+"/bridges", nil, "any[]")

	jobs := w.jobs(mustID(one))
	job := func(name string) string { return fmt.Sprintf("%s/jobs/%d", p, jobs[name].ID) }
	w.answered(200, "GET", p+"/jobs", nil, "Job[]")
	w.eventually("the archived log", func() bool {
		_, body := w.download(job("build"))
		return strings.Contains(body, `"file_type":"trace"`)
	})
	built := w.answered(200, "GET", job("build"), nil, "Job").(map[string]any)
	if built["artifacts_file"] == nil || built["runner"] == nil || built["runner_manager"] == nil || built["failure_reason"] != nil {
		w.t.Errorf("a job that passed: %v", built)
	}
	if failed := w.answered(200, "GET", job("broken"), nil, "Job"); textOf(failed, "failure_reason") != "script_failure" {
		w.t.Errorf("a job that failed: %v", failed)
	}
	w.refused(404, "GET", p+"/jobs/99999", nil, `{"message":"404 Job Not Found"}`)
	w.refused(400, "GET", p+"/jobs?scope=odd", nil, `{"error":"scope does not have a valid value"}`)
	res, log := w.download(job("build") + "/trace")
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || !strings.Contains(log, "section_start") || !strings.HasPrefix(res.Header.Get("ETag"), `W/"`) {
		w.t.Errorf("log: %v %.200q", res.Header, log)
	}
	res, archive := w.download(job("build") + "/artifacts")
	if res.Header.Get("Content-Disposition") != `attachment; filename="artifacts.zip"` || !strings.HasPrefix(archive, "PK") {
		w.t.Errorf("artifacts: %v", res.Header)
	}
	for _, path := range []string{job("build") + "/artifacts/out.txt", p + "/jobs/artifacts/main/raw/out.txt?job=build"} {
		if res, body := w.download(path); res.StatusCode != 200 || body != "built\n" {
			w.t.Errorf("%s: %d %q", path, res.StatusCode, body)
		}
	}
	if res, body := w.download(p + "/jobs/artifacts/main/download?job=build"); res.StatusCode != 200 || !strings.HasPrefix(body, "PK") {
		w.t.Errorf("artifacts of a branch: %d", res.StatusCode)
	}
	w.answered(200, "POST", job("build")+"/artifacts/keep", nil, "Job")
	w.answered(200, "POST", job("later")+"/play", map[string]any{"job_variables_attributes": []any{map[string]any{"key": "A", "value": "1"}}}, "Job")
	w.refused(400, "POST", job("build")+"/play", nil, `{"message":"400 Bad request - Unplayable Job"}`)
	w.eventually("the job that was played", func() bool { return w.jobs(mustID(one))["later"].Status == "success" })
	w.answered(201, "POST", job("broken")+"/retry", nil, "Job")
	w.refused(403, "POST", job("broken")+"/retry", nil, `{"message":"403 Forbidden - Job is not retryable"}`)
	w.answered(201, "POST", job("later")+"/erase", nil, "Job")
	w.refused(422, "POST", job("later")+"/cancel", nil, `{"message":"Job is not cancelable"}`)
	w.answered(204, "DELETE", job("build")+"/artifacts", nil, "")
	w.answered(200, "GET", p+"/repository/commits/main/statuses", nil, "CommitStatus[]")
	w.answered(202, "DELETE", p+"/artifacts", nil, "Message")
	w.answered(200, "POST", p+"/ci/lint", map[string]any{"content": "a: {script: x}", "include_jobs": true, "ref": ""}, "Lint")
	w.answered(200, "POST", p+"/ci/lint", map[string]any{"content": "a: {stage: none, script: x}"}, "Lint")
	w.answered(200, "GET", p+"/ci/lint?include_jobs=true", nil, "Lint")
	w.answered(204, "DELETE", second, nil, "")
	w.refused(404, "GET", second, nil, `{"message":"404 Pipeline Not Found"}`)
}

func mustID(path string) (id int64) {
	fmt.Sscan(path[strings.LastIndexByte(path, '/')+1:], &id)
	return id
}

func (w *world) runnerEntities(p string) {
	w.answered(200, "GET", "/runners/all", nil, "Runner[]")
	made := w.answered(201, "POST", "/user/runners", map[string]any{"runner_type": "project_type", "project_id": strings.TrimPrefix(p, "/projects/"), "tag_list": []string{"b", "a"}, "locked": true}, "Registration")
	one := "/runners/" + numberOf(made, "id")
	v := w.answered(200, "GET", one, nil, "RunnerDetails").(map[string]any)
	if v["status"] != "never_contacted" || v["online"] != nil || len(v["projects"].([]any)) != 1 {
		w.t.Errorf("a new runner: %v", v)
	}
	w.answered(200, "PUT", one, map[string]any{"paused": true, "description": "d", "maximum_timeout": 900}, "RunnerDetails")
	w.refused(400, "PUT", one, map[string]any{"paused": true, "active": false}, `{"error":"paused, active are mutually exclusive"}`)
	w.answered(200, "GET", p+"/runners", nil, "Runner[]")
	w.answered(200, "GET", one+"/projects", nil, "BasicProject[]")
	w.answered(200, "GET", "/runners", nil, "Runner[]")
	builtIn := w.answered(200, "GET", "/runners/all?type=instance_type", nil, "Runner[]").([]any)
	w.answered(200, "GET", "/runners/"+numberOf(builtIn[0], "id")+"/managers", nil, "RunnerManager[]")
	w.answered(200, "GET", "/runners/"+numberOf(builtIn[0], "id")+"/jobs", nil, "JobOfRunner[]")
	reset := w.answered(201, "POST", one+"/reset_authentication_token", nil, "ResetToken")
	w.answeredTo("", 200, "POST", "/runners/verify", map[string]any{"token": textOf(reset, "token")}, "Registration")
	w.refused(403, "POST", "/runners/verify", map[string]any{"token": textOf(made, "token")}, `{"message":"403 Forbidden"}`)
	w.answered(204, "DELETE", one, nil, "")
	w.refused(404, "GET", one, nil, `{"message":"404 Runner Not Found"}`)
}

func (w *world) variableEntities(p string) {
	for base, kind := range map[string]string{p + "/variables": "Variable", "/groups/team/variables": "Variable", "/admin/ci/variables": "InstanceVariable"} {
		thing := map[string]string{p + "/variables": "Variable", "/groups/team/variables": "GroupVariable", "/admin/ci/variables": "InstanceVariable"}[base]
		w.answered(201, "POST", base, map[string]any{"key": "KEY", "value": "long-enough", "masked": true, "description": "d"}, kind)
		w.answered(200, "GET", base, nil, kind+"[]")
		w.answered(200, "GET", base+"/KEY", nil, kind)
		w.answered(200, "PUT", base+"/KEY", map[string]any{"value": "still-enough", "protected": true}, kind)
		w.refused(400, "POST", base, map[string]any{"key": "KEY", "value": "x"}, `{"message":{"key":["(KEY) has already been taken"]}}`)
		w.refused(400, "POST", base, map[string]any{"key": "M", "value": "short", "masked": true}, `{"message":{"value":["is invalid"]}}`)
		w.refused(400, "POST", base, map[string]any{"key": "K"}, `{"error":"value is missing"}`)
		w.answered(204, "DELETE", base+"/KEY", nil, "")
		w.refused(404, "GET", base+"/KEY", nil, `{"message":"404 `+thing+` Not Found"}`)
	}
	for _, scope := range []string{"*", "prod/*"} {
		w.answered(201, "POST", p+"/variables", map[string]any{"key": "SCOPED", "value": scope, "environment_scope": scope}, "Variable")
	}
	if got := w.api("GET", p+"/variables/SCOPED", nil, nil); got != 409 {
		w.t.Errorf("a key in two scopes: %d", got)
	}
	if v := w.answered(200, "GET", p+"/variables/SCOPED?filter[environment_scope]=prod/*", nil, "Variable"); textOf(v, "value") != "prod/*" {
		w.t.Errorf("scoped: %v", v)
	}
}
