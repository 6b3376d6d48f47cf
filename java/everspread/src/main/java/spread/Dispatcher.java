package spread;

import java.util.ArrayList;
import java.util.List;
import java.util.logging.Level;

/**
 * Hands the messages of one session to its connection's listeners, on a thread of its own, which no
 * lock of anybody's is needed for.
 *
 * <p>Ends with the session, or when it is stopped because the last listener is gone. What has not been
 * handed over by then stays for whoever receives next.
 */
final class Dispatcher implements Session.Stop {

    private final SpreadConnection connection;
    private final Session session;
    private final Thread thread;
    private volatile boolean stopped;

    // Of the thread alone.
    private BasicMessageListener[] basic = {};
    private AdvancedMessageListener[] advanced = {};
    private boolean inCallback;
    private final List<Runnable> recorded = new ArrayList<>();
    private boolean disconnectRecorded;

    Dispatcher(SpreadConnection connection, Session session) {
        this.connection = connection;
        this.session = session;
        thread = new ListenerThread(this);
    }

    void start() {
        thread.start();
    }

    /**
     * Has it take no more messages. With the lock of the connection's state held: a message is taken
     * either for listeners that are there, or not at all. {@link #wake()} comes next, without the lock.
     */
    void stop() {
        stopped = true;
    }

    /** Has it see that it is stopped, if it waits for a message. */
    void wake() {
        if (Thread.currentThread() != thread) {
            session.wake();
        }
    }

    @Override
    public boolean isStopped() {
        return stopped;
    }

    @Override
    public boolean take() {
        return connection.withState(
                () -> {
                    if (stopped) {
                        return false;
                    }
                    basic = connection.basicSnapshot();
                    advanced = connection.advancedSnapshot();
                    return true;
                });
    }

    /** The dispatcher of this connection that is calling a listener on the present thread, or null. */
    static Dispatcher calling(SpreadConnection connection) {
        Thread present = Thread.currentThread();
        if (!(present instanceof ListenerThread)) {
            return null;
        }
        Dispatcher dispatcher = ((ListenerThread) present).dispatcher();
        return dispatcher.connection == connection && dispatcher.inCallback ? dispatcher : null;
    }

    /** Knows its dispatcher. */
    private static final class ListenerThread extends Thread {
        private final Dispatcher dispatcher;

        ListenerThread(Dispatcher dispatcher) {
            super(dispatcher::run, "spread-listener");
            this.dispatcher = dispatcher;
            setDaemon(true);
        }

        Dispatcher dispatcher() {
            return dispatcher;
        }
    }

    /** Does this once all listeners have got the present message. */
    void record(Runnable command) {
        if (!disconnectRecorded) {
            recorded.add(command);
        }
    }

    /** The same; what is recorded behind it is dropped. */
    void recordDisconnect(Runnable command) {
        record(command);
        disconnectRecorded = true;
    }

    private void run() {
        while (true) {
            SpreadMessage message;
            try {
                message = session.receive(this);
            } catch (SpreadException e) {
                if (session.isClosed()) {
                    return;
                }
                if (session.hasEnded()) {
                    connection.lost(e);
                    return;
                }
                Session.log(Level.WARNING, "a message was dropped", e);
                continue;
            }
            if (message == null) {
                return;
            }
            deliver(message);
        }
    }

    private void deliver(SpreadMessage message) {
        inCallback = true;
        for (BasicMessageListener listener : basic) {
            guarded(() -> listener.messageReceived(message));
        }
        boolean regular = message.isRegular();
        for (AdvancedMessageListener listener : advanced) {
            guarded(
                    () -> {
                        if (regular) {
                            listener.regularMessageReceived(message);
                        } else {
                            listener.membershipMessageReceived(message);
                        }
                    });
        }
        inCallback = false;
        for (Runnable command : recorded) {
            command.run();
        }
        recorded.clear();
        disconnectRecorded = false;
    }

    /** What a listener throws concerns neither the others nor the next messages. */
    private void guarded(Runnable call) {
        try {
            call.run();
        } catch (Throwable e) { // NOPMD: also errors are the listener's.
            try {
                thread.getUncaughtExceptionHandler().uncaughtException(thread, e);
            } catch (Throwable handlers) { // NOPMD: as the JVM does.
                Session.log(Level.WARNING, "a listener has failed", e);
            }
        }
    }
}
