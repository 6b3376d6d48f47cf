package spread;

import java.lang.reflect.InvocationTargetException;

/** A program's authentication method: its name at the daemons, and the class whose code it is. */
final class Authentication {

    /** The one that every daemon knows, and that needs nothing done. */
    static final Authentication NONE = new Authentication("NULL", NULLAuth.class.getName());

    private final String name;
    private final String className;

    Authentication(String name, String className) {
        this.name = name;
        this.className = className;
    }

    String name() {
        return name;
    }

    /** Whether there is code of the program's to be run. */
    boolean isOwn() {
        return !(name.equals(NONE.name) && NONE.className.equals(className));
    }

    /**
     * Runs it on the present thread, in an object of its own.
     *
     * @return what is wrong, or null
     */
    SpreadException run() {
        Throwable cause;
        try {
            Class<?> type = Class.forName(className);
            Object method = type.getConstructor().newInstance();
            type.getMethod("authenticate").invoke(method);
            return null;
        } catch (InvocationTargetException e) {
            cause = e.getCause();
        } catch (Throwable e) { // NOPMD: whatever it is, nobody is let in.
            cause = e;
        }
        SpreadException refusal =
                new SpreadException("Connection Rejected: Authentication failed");
        refusal.initCause(cause);
        return refusal;
    }
}
