package spread;

import java.nio.charset.StandardCharsets;

/** The text of names: ISO 8859-1 in fields of 32 bytes that end at the first zero byte. */
final class Names {

    /** Size of a field. */
    static final int FIELD = 32;

    /** Longest name; a zero byte always follows. */
    static final int LONGEST = FIELD - 1;

    private Names() {}

    /** The bytes of a name; characters above U+00FF become a question mark. */
    static byte[] encode(String name) {
        return name.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** The text of the field at {@code start}; all 32 bytes where there is no zero byte. */
    static String decode(byte[] bytes, int start) {
        int end = start;
        while (end < start + FIELD && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, start, end - start, StandardCharsets.ISO_8859_1);
    }
}
