package spread;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;

/** The bytes of a digest: one serialization stream that can be continued, also in a copy. */
final class Digest extends ByteArrayOutputStream {

    Digest() {}

    /** A copy of a stream so far. */
    Digest(byte[] begun) {
        super(begun.length + 64);
        write(begun, 0, begun.length);
    }

    /** Forgets what came after the first {@code length} bytes. */
    synchronized void cut(int length) {
        count = Math.min(count, length);
    }

    /** Goes on writing the stream that these bytes are the beginning of. */
    ObjectOutputStream resume() throws IOException {
        ObjectOutputStream stream = new Continued(this);
        // Objects before it cannot be referred to; the reader has to forget them as well.
        stream.reset();
        return stream;
    }

    /** A stream without a header of its own. */
    private static final class Continued extends ObjectOutputStream {
        Continued(OutputStream out) throws IOException {
            super(out);
        }

        @Override
        protected void writeStreamHeader() {
            // It is there.
        }
    }
}
