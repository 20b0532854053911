package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/recommender/advice/schema"
)

type order struct {
	Drinks []drink  `json:"drinks" schema:"max=most"`
	Guests []string `json:"guests" schema:"max=2,each=5"`
	Paid   bool     `json:"paid"`
}

type drink struct {
	Name  string `json:"name" schema:"in=menu"`
	Count int    `json:"count" schema:"min=1,max=9"`
	Note  string `json:"note" schema:"max=3"`
}

func values(menu ...string) schema.Values {
	return schema.Values{Lists: map[string][]string{"menu": menu}, Bounds: map[string]int64{"most": 2}}
}

func TestASchemaHasTheOrderAndTheBoundsOfTheType(t *testing.T) {
	s, err := schema.Of(order{}, values("tea", "milk"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"object","properties":{` +
		`"drinks":{"type":"array","items":{"type":"object","properties":{` +
		`"name":{"type":"string","enum":["tea","milk"]},"count":{"type":"integer","minimum":1,"maximum":9},"note":{"type":"string","maxLength":3}},` +
		`"required":["name","count","note"],"additionalProperties":false},"minItems":0,"maxItems":2},` +
		`"guests":{"type":"array","items":{"type":"string","minLength":1,"maxLength":5},"minItems":0,"maxItems":2},` +
		`"paid":{"type":"boolean"}},"required":["drinks","guests","paid"],"additionalProperties":false}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDecodeTakesWhatTheSchemaAllowsAndNothingElse(t *testing.T) {
	s, err := schema.Of(order{}, values("tea", "milk"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ answer, want string }{
		"good":             {`{"drinks":[{"name":"tea","count":9,"note":"äöü"}],"guests":["Eve"],"paid":true}`, ""},
		"the last counts":  {`{"paid":1,"drinks":[],"guests":[],"paid":true}`, ""},
		"off the menu":     {`{"drinks":[{"name":"wine","count":1,"note":""}],"guests":[],"paid":true}`, `answer.drinks[0].name: "wine" is not one of tea, milk`},
		"too many":         {`{"drinks":[],"guests":["a","b","c"],"paid":true}`, "answer.guests: 3 items, 0 to 2"},
		"a long name":      {`{"drinks":[],"guests":["abcdef"],"paid":true}`, "answer.guests[0]: 6 characters, 1 to 5"},
		"a truth as text":  {`{"drinks":[],"guests":[],"paid":"yes"}`, `"yes" is neither true nor false`},
		"a list of others": {`{"drinks":["tea"],"guests":[],"paid":true}`, `answer.drinks[0]: "tea" is not an object`},
	} {
		t.Run(name, func(t *testing.T) {
			var got order
			err := s.Decode([]byte(test.answer), &got)
			switch {
			case test.want == "" && (err != nil || !got.Paid):
				t.Errorf("%v, decoded %+v", err, got)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || got.Drinks != nil):
				t.Errorf("error %v, want %q; decoded %+v", err, test.want, got)
			}
		})
	}
}

func TestNothingToChooseFromMakesAnEmptyListAndNoText(t *testing.T) {
	s, err := schema.Of(struct {
		IDs []string `json:"ids" schema:"in=menu,min=1,max=3"`
	}{}, values())
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ IDs []string }
	if err := s.Decode([]byte(`{"ids":[]}`), &got); err != nil {
		t.Error(err)
	}
	if _, err := schema.Of(drink{}, values()); err == nil {
		t.Error("a text with nothing to choose from")
	}
}

func TestATypeThatLeavesAnythingUnboundedIsRefused(t *testing.T) {
	for name, sample := range map[string]any{
		"a text": struct {
			T string `json:"t"`
		}{},
		"an integer": struct {
			N int `json:"n" schema:"min=1"`
		}{},
		"a list": struct {
			L []int `json:"l"`
		}{},
		"texts of a list": struct {
			L []string `json:"l" schema:"max=3"`
		}{},
		"a fraction": struct {
			F float64 `json:"f" schema:"max=3"`
		}{},
		"an unknown bound": struct {
			N int `json:"n" schema:"max=unheard"`
		}{},
		"an unknown word": struct {
			N int `json:"n" schema:"most=3"`
		}{},
	} {
		if _, err := schema.Of(sample, values()); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
