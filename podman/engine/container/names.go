package container

import (
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"strings"
)

// NewID makes an identifier of 64 hexadecimal digits.
func NewID() string {
	var b [32]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// The words of random names, each list in one string so that a start of the
// program builds no slices.
const (
	adjectives = "able amber brave bright brisk calm candid cheerful clever cosmic crisp curious daring deft eager earnest elegant festive fleet fond frosty gallant gentle gifted golden graceful happy hardy " +
		"hopeful humble jolly keen kind lively lucid lucky mellow merry mighty modest nimble noble patient placid plucky polite proud quick quiet quirky radiant ready serene sharp silent sincere sleek " +
		"snug sober solid spry steady stoic sunny swift tender tidy trusty upbeat vivid warm wise witty zesty"
	surnames = "abel agnesi archimedes babbage bardeen bell bohr boole borg bose brahmagupta cantor carson cerf chandrasekhar church clarke curie darwin descartes dijkstra dirac easley edison einstein engelbart " +
		"erdos euclid euler faraday fermat fermi feynman franklin galileo galois gauss germain goldberg goodall hamilton hawking heisenberg hertz hodgkin hoover hopper hypatia jemison johnson kepler khayyam " +
		"kilby knuth kowalevski lamarr leakey leavitt lovelace maxwell mccarthy mclean meitner mendel mirzakhani morse napier newton nobel noether pascal pasteur perlman planck ptolemy raman ramanujan ride ritchie " +
		"rubin shannon sinoussi swartz tesla thompson torvalds turing villani volta wescoff wiles wozniak wright yalow"
)

// RandomName makes a readable name such as "brave_hopper".
func RandomName() string {
	return pick(adjectives) + "_" + pick(surnames)
}

func pick(words string) string {
	list := strings.Fields(words)
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(list))))
	if err != nil {
		return list[0]
	}
	return list[n.Int64()]
}

// ValidName says whether s can name a container, pod or volume: a letter or
// digit, then letters, digits, "_", "." and "-".
func ValidName(s string) bool {
	for i, r := range s {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !alnum && (i == 0 || r != '_' && r != '.' && r != '-') {
			return false
		}
	}
	return s != ""
}
