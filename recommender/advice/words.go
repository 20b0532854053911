package advice

import (
	"strings"
	"unicode"
)

// The tables hold one value a line, followed by the words for it in the languages that are known, in lower case. A language
// that is missing costs nothing but a refusal: its digits are read all the same.
const (
	// numberWords that say how many times.
	numberWords = `
2 two twice double doubled doubles doubling twofold zwei zweimal zweifach doppelt doppelte doppelten verdoppelt verdoppelung deux double doublé doubler doublera dos doble duplica duplicar duplicará dobro dois duas dobrar due doppio raddoppia raddoppiare twee dubbel verdubbelt dwa dwukrotnie dwukrotny podwoi два две вдвое двое двукратный удвоится двукратно iki katına ضعف ضعفين ضعفي مرتين اثنين دو दो दोगुना दुगुना दोगुनी 두 hai đôi ganda dua สอง สองเท่า כפול פי-שניים שניים
3 three thrice triple tripled triples tripling treble threefold drei dreimal dreifach verdreifacht verdreifachung trois triple tripler triplera tres triplica triplicar triplicará três triplo tre triplo triplica drie driemaal verdrievoudigt trzy trzykrotnie trzykrotny potroi три втрое трое трехкратный утроится üç ثلاثة ثلاث سه तीन तिगुना तिगुनी तीनगुना 세 ba tiga สาม สามเท่า שלושה שלוש
4 four quadruple quadrupled fourfold vier viermal vierfach vervierfacht quatre quadrupler quadruple cuatro cuadruplica quatro quadruplicar quattro quadruplica vier cztery czterokrotnie четыре вчетверо dört أربعة أربع चार चौगुना 네 bốn empat สี่ ארבעה ארבע
5 five quintuple fivefold fünf fünfmal fünffach verfünffacht cinq quintupler cinco quintuplica cinque vijf pięć pięciokrotnie пять впятеро beş خمسة خمس पांच पाँच पांचगुना 다섯 năm lima ห้า חמישה חמש
6 six sixfold sechs sechsfach seis sei zes sześć шесть altı ستة ست छह 여섯 sáu enam หก
7 seven sevenfold sieben siebenfach sept siete sete sette zeven siedem семь yedi سبعة سبع सात 일곱 bảy tujuh เจ็ด
8 eight eightfold acht achtfach huit ocho oito otto osiem восемь sekiz ثمانية आठ 여덟 tám delapan แปด
9 nine ninefold neun neunfach neuf nueve nove negen dziewięć девять dokuz تسعة नौ 아홉 chín sembilan เก้า
10 ten tenfold zehn zehnfach verzehnfacht dix décupler diez dez dieci tien dziesięć десять вдесятеро عشرة दस 열 mười sepuluh สิบ
`
	// multiples follow a number word, in one word with it.
	multiples = "fold mal fach fache facher fachen faches times 배 배로 배의 배가 배나 गुना गुनी เท่า krotnie krotny кратно"
	// monthNames and their short forms.
	monthNames = `
1 january jan januar jänner janvier janv enero ene janeiro gennaio gen januari stycznia styczeń sty января январь янв ocak oca يناير जनवरी มกราคม ינואר
2 february feb februar februari février févr febrero fevereiro fev febbraio lutego luty февраля февраль фев şubat فبراير फरवरी กุมภาพันธ์ פברואר
3 march mar märz mars marzo março maart mrt marca marzec марта март mart مارس मार्च มีนาคม מרץ
4 april apr avril avr abril abr aprile kwietnia kwiecień апреля апрель апр nisan أبريل ابريل अप्रैल เมษายน אפריל
5 may mai mayo maio maggio mei maja maj мая май mayıs مايو मई พฤษภาคม מאי
6 june jun juni juin junio junho giugno czerwca czerwiec июня июнь haziran يونيو जून มิถุนายน יוני
7 july jul juli juillet juil julio julho luglio lipca lipiec июля июль temmuz يوليو जुलाई กรกฎาคม יולי
8 august aug août agosto ago augustus sierpnia sierpień августа август авг ağustos أغسطس अगस्त สิงหาคม אוגוסט
9 september sep sept septembre septiembre setembro set settembre września wrzesień сентября сентябрь сен eylül سبتمبر सितंबर सितम्बर กันยายน ספטמבר
10 october oct oktober okt octobre octubre outubro out ottobre ott października październik октября октябрь окт ekim أكتوبر अक्टूबर ตุลาคม אוקטובר
11 november nov novembre noviembre novembro listopada listopad ноября ноябрь ноя kasım نوفمبر नवंबर नवम्बर พฤศจิกายน נובמבר
12 december dec dezember dez décembre déc diciembre dic dezembro dicembre grudnia grudzień декабря декабрь дек aralık ديسمبر दिसंबर दिसम्बर ธันวาคม דצמבר
`
	// manyMeanings are names of months that mean other things, too.
	manyMeanings = "may mar march mars set out ago gen dic sei ene maj"
	// beforeMonth stands between a day and its month, afterMonth between a month and its day, toWords between the two ends of
	// a range.
	beforeMonth = "st nd rd th . of de del di van er e the 日 号 號 일"
	afterMonth  = "the . , 日 号 號 일"
	toWords     = "- – — ~ 〜 ～ to till until through and & bis und à au et al a hasta e y até t/m tot en do i по до и إلى حتى से から 至 到 と 부터 đến sampai"
)

// lookUp returns the value of a word in one of the tables, 0 if it is not there.
func lookUp(table, word string) int {
	i := find(table, word)
	if i < 0 {
		return 0
	}
	line := table[strings.LastIndexByte(table[:i], '\n')+1:]
	digits, _, _ := strings.Cut(line, " ")
	return decimal(digits)
}

func oneOf(words, word string) bool { return find(words, word) >= 0 }

// find returns where a word stands in a list of words that single spaces or line breaks divide, or -1. Texts are long and lists,
// too, so it searches rather than dividing the list again and again.
func find(words, word string) int {
	if word == "" {
		return -1
	}
	for from := 0; ; {
		i := strings.Index(words[from:], word)
		if i < 0 {
			return -1
		}
		start, end := from+i, from+i+len(word)
		if (start == 0 || isGap(words[start-1])) && (end == len(words) || isGap(words[end])) {
			return start
		}
		from = end
	}
}

func isGap(c byte) bool { return c == ' ' || c == '\n' }

// multiplier returns what a word says of how many times, such as 3 for "threefold", or 0.
func multiplier(word string) int {
	if n := lookUp(numberWords, word); n > 0 {
		return n
	}
	for ending := range strings.FieldsSeq(multiples) {
		if stem, ok := strings.CutSuffix(word, ending); ok && stem != "" {
			if n := lookUp(numberWords, stem); n > 0 {
				return n
			}
		}
	}
	return 0
}

func decimal(digits string) int {
	n := 0
	for _, r := range digits {
		n = 10*n + int(r-'0')
	}
	return n
}

// digit returns the value of a decimal digit of any script, or -1. Unicode keeps the ten digits of a script in a row.
func digit(r rune) int {
	if r >= '0' && r <= '9' {
		return int(r - '0')
	}
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return int(r-rune(t.Lo)) % 10
		}
	}
	return -1
}

// hanNumber returns the value of a numeral written in Han characters, such as 十一 or 二十三, and false for anything else.
func hanNumber(text []rune) (int, bool) {
	total, pending := 0, 0
	for _, r := range text {
		value, unit, ok := hanDigit(r)
		switch {
		case !ok || total > 1e6 || pending > 1e6:
			return 0, false
		case unit:
			total, pending = total+max(pending, 1)*value, 0
		default:
			pending = 10*pending + value
		}
	}
	return total + pending, len(text) > 0
}

// hanDigit returns the value of a Han numeral character, and whether it is a unit such as ten.
func hanDigit(r rune) (value int, unit, ok bool) {
	const digits, units = "〇一二三四五六七八九", "十百千万"
	if i := strings.IndexRune(digits, r); i >= 0 {
		return i / len("一"), false, true
	}
	switch r {
	case '零':
		return 0, false, true
	case '两', '兩':
		return 2, false, true
	}
	if i := strings.IndexRune(units, r); i >= 0 {
		value = 10
		for range i / len("十") {
			value *= 10
		}
		return value, true, true
	}
	return 0, false, false
}
