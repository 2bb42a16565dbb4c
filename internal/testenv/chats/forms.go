package chats

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// Form is a form as the user sees it for whom it was opened.
type Form struct {
	User    string
	Channel string
	Title   string
	Text    string
	Fields  []FormField
	Submit  string
	Error   string // of all of it
	Closed  bool

	callback, state, address string
	sent                     func() Receipt // what was sent last, once more
}

// FormField is one field of a form.
type FormField struct {
	Name, Label, Hint string
	Lines             bool
	Options           []string
	Value             string
	Required          bool
	Error             string
}

// Field finds a field by its name.
func (f Form) Field(name string) (FormField, bool) {
	for _, x := range f.Fields {
		if x.Name == name {
			return x, true
		}
	}
	return FormField{}, false
}

// Names are the names of the fields, in order.
func (f Form) Names() []string {
	out := []string{}
	for _, x := range f.Fields {
		out = append(out, x.Name)
	}
	return out
}

// Problems are the errors that the form shows, by field; that of all of it has no name.
func (f Form) Problems() map[string]string {
	out := map[string]string{}
	if f.Error != "" {
		out[""] = f.Error
	}
	for _, x := range f.Fields {
		if x.Error != "" {
			out[x.Name] = x.Error
		}
	}
	return out
}

// triggerFor is how long a form may be opened after what a person did.
const triggerFor = 3 * time.Second

// trigger is something that a person did, for which one form may be opened.
type trigger struct {
	user, channel string
	made          time.Time
	used          bool
}

// did notes that a person did something that a form may be opened for.
func (s *Server) did(id, user, channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.triggers[id] == nil {
		s.triggers[id] = &trigger{user: user, channel: channel, made: s.Now()}
	}
}

// pull uses a trigger; problem is unknown, exchanged or expired.
func (s *Server) pull(id string) (t *trigger, problem string) {
	switch t = s.triggers[id]; {
	case t == nil:
		s.complain("there is no trigger %q", id)
		return nil, "unknown"
	case t.used:
		s.complain("a trigger is used twice")
		return nil, "exchanged"
	case s.Now().Sub(t.made) > triggerFor:
		return nil, "expired"
	}
	t.used = true
	return t, ""
}

func (s *Server) press() string { return "press" + strconv.FormatInt(time.Now().UnixNano(), 10) }

// Form is the form that a user has before them.
func (s *Server) Form(user string) (Form, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.formOf(user); f != nil && !f.Closed {
		out := *f
		out.Fields = slices.Clone(f.Fields)
		return out, true
	}
	return Form{}, false
}

// formOf is the last form of a user.
func (s *Server) formOf(user string) *Form {
	for _, f := range slices.Backward(s.forms) {
		if f.User == user {
			return f
		}
	}
	return nil
}

// fill writes into the form of a user; what is not named stays. It fails as the chat does before anything is sent.
func (s *Server) fill(user string, values map[string]string) *Form {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.formOf(user)
	if f == nil || f.Closed {
		s.t.Fatalf("%s has no form open", user)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		i := slices.IndexFunc(f.Fields, func(x FormField) bool { return x.Name == name })
		if i < 0 {
			s.t.Fatalf("the form has no field %q: %v", name, f.Names())
		}
		if v := values[name]; f.Fields[i].Options != nil && v != "" && !slices.Contains(f.Fields[i].Options, v) {
			s.t.Fatalf("%q is no option of %s: %v", v, name, f.Fields[i].Options)
		}
		f.Fields[i].Value = values[name]
	}
	f.Error = ""
	for i, x := range f.Fields {
		if f.Fields[i].Error = ""; x.Required && x.Value == "" {
			s.t.Fatalf("%s is required", x.Name)
		}
	}
	return f
}

// Again sends once more what a user sent last, as networks do.
func (s *Server) Again(user string) Receipt {
	s.t.Helper()
	s.mu.Lock()
	f := s.formOf(user)
	s.mu.Unlock()
	if f == nil || f.sent == nil {
		s.t.Fatalf("%s sent no form", user)
	}
	return f.sent()
}

// wrongIn shows errors in a form; without any it is closed.
func (s *Server) wrongIn(f *Form, all string, errors map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Error, f.Closed = all, all == "" && len(errors) == 0
	for name, text := range errors {
		i := slices.IndexFunc(f.Fields, func(x FormField) bool { return x.Name == name })
		if i < 0 || text == "" {
			s.complain("an error %q of a field %q that the form does not have", text, name)
			continue
		}
		f.Fields[i].Error = text
	}
}

// drawnForm is what the page draws of the form of a user.
func (s *Server) drawnForm(user string) *Form {
	f, open := s.Form(user)
	if !open {
		return nil
	}
	return &f
}

// State is what comes back with the form, which its user's browser knows.
func (f Form) State() string { return f.state }
