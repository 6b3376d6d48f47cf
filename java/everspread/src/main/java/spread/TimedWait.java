package spread;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.spi.AbstractSelectableChannel;
import java.nio.channels.spi.AbstractSelector;
import java.util.Collections;
import java.util.Set;

/**
 * A receive that ends when its time is over, or its thread is interrupted.
 *
 * <p>A selector is what the JDK tells of an interrupt while its thread is in a native method: between
 * {@code begin} and {@code end} it calls {@code wakeup}. This one selects nothing.
 */
final class TimedWait extends AbstractSelector implements Session.Stop {

    private static final long NANOS_PER_MS = 1_000_000;

    private final Session session;
    private final Thread thread = Thread.currentThread();
    private final long start = System.nanoTime();
    private final long nanos;

    /** The last wait was for the rest of the time. */
    private boolean over;

    TimedWait(Session session, long nanos) {
        super(null);
        this.session = session;
        this.nanos = nanos;
    }

    /** The receive itself. */
    interface Receive {
        SpreadMessage run() throws SpreadException;
    }

    SpreadMessage run(Receive receive) throws SpreadException, InterruptedIOException {
        SpreadMessage message;
        begin();
        try {
            message = receive.run();
        } finally {
            end();
        }
        if (message == null && Thread.interrupted()) {
            throw interrupted();
        }
        return message;
    }

    static InterruptedIOException interrupted() {
        return new InterruptedIOException("interrupted while waiting for a message");
    }

    @Override
    public boolean isStopped() {
        return over || thread.isInterrupted();
    }

    @Override
    public boolean take() {
        return !thread.isInterrupted();
    }

    @Override
    public int timeoutMs() {
        long left = nanos - (System.nanoTime() - start);
        // Once more without waiting, for what has come at the last moment.
        over = left <= 0;
        // Rounded up, so that the time is over when the wait is.
        long ms = left <= 0 ? 0 : (left - 1) / NANOS_PER_MS + 1;
        return (int) Math.min(ms, Integer.MAX_VALUE);
    }

    @Override
    public Selector wakeup() {
        session.wake();
        return this;
    }

    @Override
    protected void implCloseSelector() throws IOException {}

    @Override
    protected SelectionKey register(AbstractSelectableChannel channel, int ops, Object attachment) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Set<SelectionKey> keys() {
        return Collections.emptySet();
    }

    @Override
    public Set<SelectionKey> selectedKeys() {
        return Collections.emptySet();
    }

    @Override
    public int selectNow() {
        return 0;
    }

    @Override
    public int select(long timeout) {
        return 0;
    }

    @Override
    public int select() {
        return 0;
    }
}
