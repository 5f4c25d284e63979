package org.elasticsearch.plugins;

import harrier.node.Release;
import java.lang.reflect.Constructor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.env.Environment;
import org.elasticsearch.plugins.spi.SPIClassIterator;

/**
 * Plugins from the class path instead of the folders modules and plugins. It sits in this package because what a plugins service may
 * replace is visible only here.
 */
public final class ClasspathPlugins extends PluginsService {
    private final List<LoadedPlugin> loaded = new ArrayList<>();

    /** Makes one plugin of each class, in this order, and then shows each what the others offer it. */
    public ClasspathPlugins(Environment env, List<String> classNames) {
        super(env.settings(), env.configDir(), PluginsLoader.createPluginsLoader(Set.of(), Set.of(), Map.of(), false));
        for (String name : classNames) {
            loaded.add(load(env, name));
        }
        for (LoadedPlugin plugin : loaded) {
            if (plugin.instance() instanceof ExtensiblePlugin extensible) {
                extensible.loadExtensions(new ExtensiblePlugin.ExtensionLoader() {
                    @Override
                    public <T> List<T> loadExtensions(Class<T> type) {
                        return providers(type);
                    }
                });
            }
        }
    }

    private LoadedPlugin load(Environment env, String name) {
        try {
            Class<? extends Plugin> type = Class.forName(name).asSubclass(Plugin.class);
            return new LoadedPlugin(Release.descriptor(name), loadPlugin(type, env.settings(), env.configDir()), getClass().getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What META-INF/services of the whole class path names for a type. */
    private <T> List<T> providers(Class<T> type) {
        List<T> made = new ArrayList<>();
        SPIClassIterator<T> classes = SPIClassIterator.get(type, getClass().getClassLoader());
        while (classes.hasNext()) {
            try {
                made.add(type.cast(make(classes.next())));
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
        return made;
    }

    /** Makes a provider with its own plugin, if it has such a constructor, or with nothing. */
    private Object make(Class<?> type) throws ReflectiveOperationException {
        for (Constructor<?> constructor : type.getConstructors()) {
            for (LoadedPlugin plugin : loaded) {
                if (constructor.getParameterCount() == 1 && constructor.getParameterTypes()[0].isInstance(plugin.instance())) {
                    return constructor.newInstance(plugin.instance());
                }
            }
        }
        return type.getConstructor().newInstance();
    }

    // Both are called by the constructor above this class too, when nothing is loaded yet.

    @Override
    public <T> List<? extends T> loadServiceProviders(Class<T> type) {
        return loaded == null ? List.of() : providers(type);
    }

    @Override
    protected List<LoadedPlugin> plugins() {
        return loaded == null ? List.of() : loaded;
    }
}
