package number

// digit computes the check digit that belongs to a serial number of digits and capital letters.
type digit func(serial string) byte

// value is what a character counts: a digit itself, a letter its place in ASCII less three, to one digit (A is 2, Z is 7).
func value(c byte) int {
	if c >= 'A' {
		return int(c-3) % 10
	}
	return int(c - '0')
}

// mod10 multiplies the first, third, … character by odd and the others by even; the check digit makes the sum a multiple of ten.
func mod10(odd, even int) digit {
	return func(serial string) byte {
		sum := 0
		for i := range len(serial) {
			by := odd
			if i%2 == 1 {
				by = even
			}
			sum += value(serial[i]) * by
		}
		return complement(sum)
	}
}

func complement(sum int) byte { return byte('0' + (10-sum%10)%10) }

// luhn doubles every second digit from the right, the last one first, and counts both digits of what comes out.
func luhn(serial string) byte {
	sum := 0
	for i := range len(serial) {
		v := value(serial[i])
		if (len(serial)-i)%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return complement(sum)
}

// mod7 is the rest of the number by seven.
func mod7(serial string) byte {
	rest := 0
	for i := range len(serial) {
		rest = (rest*10 + value(serial[i])) % 7
	}
	return byte('0' + rest)
}

// sevenThreeOne weighs the digits by 1, 3, 7, 1, 3, 7, … from the right; the check digit is the sum's rest by eleven, and of a rest
// of ten the last digit. FedEx Express numbers have it.
func sevenThreeOne(serial string) byte {
	sum := 0
	for i := range len(serial) {
		sum += value(serial[i]) * [...]int{7, 1, 3}[(len(serial)-i)%3]
	}
	return byte('0' + sum%11%10)
}

// upuDigit is that of the Universal Postal Union's standard S10.
func upuDigit(serial string) byte {
	weights := [...]int{8, 6, 4, 2, 3, 5, 9, 7}
	sum := 0
	for i := range len(serial) {
		sum += value(serial[i]) * weights[i%len(weights)]
	}
	switch d := 11 - sum%11; d {
	case 10:
		return '0'
	case 11:
		return '5'
	default:
		return byte('0' + d)
	}
}

// mod37by36 is ISO 7064's MOD 37,36: a check character that may be a letter.
func mod37by36(serial string) byte {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	p := 36
	for i := range len(serial) {
		v := int(serial[i] - '0')
		if serial[i] >= 'A' {
			v = int(serial[i]-'A') + 10
		}
		if p = (p + v) % 36; p == 0 {
			p = 36
		}
		p = p * 2 % 37
	}
	return alphabet[(37-p)%36]
}

// behind computes the digit with something in front that is counted and not printed, unless the serial number begins with it.
func behind(front string, d digit) digit {
	return func(serial string) byte {
		if len(serial) >= len(front) && serial[:len(front)] == front {
			return d(serial)
		}
		return d(front + serial)
	}
}
